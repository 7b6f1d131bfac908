import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

OPEN = {
    "GET /v1/connect/{provider}",
    "GET /v1/callback/{provider}",
    "ANY /v1/webhooks/{provider}",
    "ANY /v1/webhooks/{provider}/{key}",
    "GET /v1/openapi.json",
}
SIGNED_IN = {
    "POST /v1/connect/{provider}",
    "POST /v1/sync",
    "POST /v1/uploads",
    "POST /v1/uploads/large",
    "POST /v1/uploads/large/{upload}",
    "POST /v1/exports",
    "POST /v1/push/{platform}",
    "GET /v1/connections",
    "GET /v1/events",
    "DELETE /v1/connections/{connection}",
    "DELETE /v1/user",
    "GET /v1/consents",
    "GET /v1/profile",
    "PUT /v1/profile",
    "GET /v1/days",
    "GET /v1/metrics",
    "GET /v1/metrics/{metric}",
    "GET /v1/sleep",
    "GET /v1/workouts",
    "GET /v1/medications",
    "GET /v1/glucose",
    "GET /v1/recent",
    "GET /v1/provenance",
    "POST /v1/summary",
    "POST /v1/refresh",
    "GET /v1/jobs/{job}",
}
VARIANTS = pytest.mark.parametrize("variant", ["default", "custom"])


def environment(template: Template) -> dict[str, Any]:
    (first, *rest) = template.find_resources("AWS::Lambda::Function").values()
    variables: dict[str, Any] = first["Properties"]["Environment"]["Variables"]
    assert all(each["Properties"]["Environment"]["Variables"]["PUBLIC_URL"] == variables["PUBLIC_URL"] for each in rest)
    return variables


@VARIANTS
def test_only_the_named_routes_ask_for_no_token(variant: str, request: pytest.FixtureRequest) -> None:
    template: Template = request.getfixturevalue(variant)
    (authorizer,) = template.find_resources("AWS::ApiGatewayV2::Authorizer")
    routes = {
        each["Properties"]["RouteKey"]: each["Properties"]
        for each in template.find_resources("AWS::ApiGatewayV2::Route").values()
    }
    assert set(routes) == OPEN | SIGNED_IN
    for key, route in routes.items():
        if key in OPEN:
            assert route["AuthorizationType"] == "NONE"
            assert "AuthorizerId" not in route
        else:
            assert route["AuthorizationType"] == "JWT"
            assert route["AuthorizerId"] == {"Ref": authorizer}


def test_one_integration_per_function(default: Template) -> None:
    made = [each["Properties"] for each in default.find_resources("AWS::ApiGatewayV2::Integration").values()]
    assert len(made) == 14
    assert {each["PayloadFormatVersion"] for each in made} == {"2.0"}


def test_the_access_log_holds_the_route_and_never_the_path(default: Template) -> None:
    (stage,) = default.find_resources("AWS::ApiGatewayV2::Stage").values()
    line = json.loads(stage["Properties"]["AccessLogSettings"]["Format"])
    assert line["routeKey"] == "$context.routeKey"
    assert {"requestId", "status", "latency"} <= set(line)
    # A webhook's path and a callback's query may be secrets, an address is personal.
    for hidden in ("path", "query", "identity", "protocol", "header", "errorMessage", "error.message"):
        assert not [value for value in line.values() if hidden.lower() in value.lower()]


def test_the_stage_is_throttled(default: Template) -> None:
    default.has_resource_properties(
        "AWS::ApiGatewayV2::Stage",
        {
            "StageName": "$default",
            "DefaultRouteSettings": {"ThrottlingBurstLimit": 1000, "ThrottlingRateLimit": 500},
        },
    )


def test_without_origins_no_browser_may_call(default: Template) -> None:
    default.has_resource_properties("AWS::ApiGatewayV2::Api", {"CorsConfiguration": Match.absent()})
    assert environment(default)["RETURN_ORIGINS"] == ""


def test_origins_are_allowed_and_passed_on(custom: Template) -> None:
    origins = ["https://app.example.com", "http://localhost:5173"]
    custom.has_resource_properties(
        "AWS::ApiGatewayV2::Api",
        {
            "CorsConfiguration": Match.object_like(
                {
                    "AllowOrigins": origins,
                    "AllowMethods": ["DELETE", "GET", "POST", "PUT"],
                    "AllowHeaders": [
                        "authorization",
                        "content-type",
                        "x-user-id",
                        "idempotency-key",
                        "if-none-match",
                    ],
                }
            )
        },
    )
    assert environment(custom)["RETURN_ORIGINS"] == ",".join(origins)


def test_a_5xx_raises_an_alarm(default: Template) -> None:
    default.has_resource_properties("AWS::CloudWatch::Alarm", {"MetricName": "5xx", "Threshold": 1})


def test_the_api_tells_the_functions_its_address(default: Template) -> None:
    (api,) = default.find_resources("AWS::ApiGatewayV2::Api")
    assert environment(default)["PUBLIC_URL"] == {"Fn::GetAtt": [api, "ApiEndpoint"]}
    assert default.find_outputs("PublicUrl")["PublicUrl"]["Value"] == {"Fn::GetAtt": [api, "ApiEndpoint"]}


def test_a_domain_is_the_address(custom: Template) -> None:
    assert environment(custom)["PUBLIC_URL"] == "https://api.example.com"
    custom.has_resource_properties("AWS::ApiGatewayV2::DomainName", {"DomainName": "api.example.com"})
    custom.resource_count_is("AWS::ApiGatewayV2::ApiMapping", 1)


def test_a_public_url_overrides_every_other(synth: Callable[..., Template]) -> None:
    template = synth(public_url="http://127.0.0.1:4966/_aws/execute-api/tributary")
    assert environment(template)["PUBLIC_URL"] == "http://127.0.0.1:4966/_aws/execute-api/tributary"


def test_a_user_pool_is_made_for_whoever_has_no_issuer(default: Template) -> None:
    (browser, machine) = sorted(default.find_resources("AWS::Cognito::UserPoolClient"))
    default.has_resource_properties(
        "AWS::ApiGatewayV2::Authorizer",
        {"AuthorizerType": "JWT", "JwtConfiguration": {"Audience": [{"Ref": browser}, {"Ref": machine}]}},
    )
    clients = default.find_resources("AWS::Cognito::UserPoolClient")
    assert clients[browser]["Properties"]["GenerateSecret"] is False
    assert clients[browser]["Properties"]["AllowedOAuthFlows"] == ["code"]
    assert clients[machine]["Properties"]["GenerateSecret"] is True
    assert clients[machine]["Properties"]["AllowedOAuthFlows"] == ["client_credentials"]
    default.has_resource_properties(
        "AWS::Cognito::UserPoolResourceServer",
        {"Identifier": "tributary", "Scopes": [Match.object_like({"ScopeName": "users:act"})]},
    )
    default.has_resource_properties(
        "AWS::Cognito::UserPool",
        {
            "UsernameAttributes": ["email"],
            "DeletionProtection": "ACTIVE",
            "Policies": {"PasswordPolicy": Match.object_like({"MinimumLength": 12, "RequireSymbols": True})},
        },
    )
    default.resource_count_is("AWS::Cognito::UserPoolDomain", 1)


def test_ones_own_issuer_needs_no_user_pool(custom: Template) -> None:
    assert not [each for each in custom.to_json()["Resources"].values() if "Cognito" in each["Type"]]
    custom.has_resource_properties(
        "AWS::ApiGatewayV2::Authorizer",
        {"JwtConfiguration": {"Audience": ["tributary"], "Issuer": "https://id.example.com/"}},
    )


OUTPUTS = """ApiUrl PublicUrl DataTable ControlTable RawBucket FreshQueue BulkQueue ChangesQueue FreshDlq BulkDlq
ChangesDlq SegmentsQueue SegmentsDlq ExportsQueue ExportsDlq ImportsQueue ImportsDlq
VaultKey AppSecret EventsLog WebhookLog PollFunction
WorkerFunction"""


def test_outputs(default: Template, custom: Template) -> None:
    assert set(default.find_outputs("*")) == {*OUTPUTS.split(), "UserPoolId", "UserClientId", "MachineClientId"}
    assert set(custom.find_outputs("*")) == {*OUTPUTS.split(), "DomainTarget"}


def test_tags_reach_the_resources(custom: Template) -> None:
    custom.has_resource_properties("AWS::ApiGatewayV2::Api", {"Tags": {"team": "health"}})
    custom.has_resource_properties(
        "AWS::DynamoDB::Table", {"Tags": Match.array_with([{"Key": "team", "Value": "health"}])}
    )


def test_the_dashboard_shows_every_part(default: Template) -> None:
    (dashboard,) = default.find_resources("AWS::CloudWatch::Dashboard").values()
    body = json.dumps(dashboard["Properties"]["DashboardBody"])
    for title in ("Doors: latency", "Queues: oldest, s", "Dead letters", "Workers: duration", "Tables: throttled"):
        assert title in body
