"""The HTTP API: which door each route opens, and what each caller must show."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import jsii
from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from infra.alarm import alarm
from infra.logs import LogGroup
from infra.settings import Settings


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    function: str
    proof: str = ""
    """What stands in for a user's token where none is asked; empty where one is."""


_SIGNED = "The function checks the provider's signature, or the path derived for it, and fails closed"
ROUTES = (
    Route("POST", "/v1/connect/{provider}", "connect"),
    Route("POST", "/v1/sync", "sync"),
    Route("POST", "/v1/refresh", "sync"),
    Route("POST", "/v1/uploads", "upload"),
    Route("POST", "/v1/uploads/large", "upload"),
    Route("POST", "/v1/uploads/large/{upload}", "upload"),
    Route("POST", "/v1/exports", "export"),
    Route("POST", "/v1/push/{platform}", "push"),
    Route("DELETE", "/v1/connections/{connection}", "disconnect"),
    Route("DELETE", "/v1/user", "erase"),
    Route("GET", "/v1/profile", "profile"),
    Route("PUT", "/v1/profile", "profile"),
    Route("GET", "/v1/consents", "api"),
    Route("GET", "/v1/connections", "api"),
    Route("GET", "/v1/events", "events"),
    Route("GET", "/v1/metrics", "api"),
    Route("GET", "/v1/days", "readings"),
    Route("GET", "/v1/metrics/{metric}", "readings"),
    Route("GET", "/v1/sleep", "readings"),
    Route("GET", "/v1/workouts", "readings"),
    Route("GET", "/v1/medications", "readings"),
    Route("GET", "/v1/provenance", "readings"),
    Route("GET", "/v1/glucose", "periods"),
    Route("GET", "/v1/recent", "periods"),
    Route("POST", "/v1/summary", "periods"),
    Route("GET", "/v1/jobs/{job}", "api"),
    Route("GET", "/v1/connect/{provider}", "connect", "A browser follows a link: its one-time ticket is the proof"),
    Route("GET", "/v1/callback/{provider}", "callback", "A browser returns from the provider: its state is the proof"),
    Route("ANY", "/v1/webhooks/{provider}", "webhook", _SIGNED),
    Route("ANY", "/v1/webhooks/{provider}/{key}", "webhook", _SIGNED),
    Route("GET", "/v1/openapi.json", "api", "The API's own description holds nothing about anybody"),
)

# The route, never the path: a webhook's path may be its secret. No address either: it is personal data.
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "latency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "integrationStatus": "$context.integrationStatus",
    "bytes": "$context.responseLength",
}


@jsii.implements(apigwv2.IAccessLogSettings)
class _AccessLog:
    def __init__(self, log_group: LogGroup) -> None:
        self._destination = apigwv2.LogGroupLogDestination(log_group)

    @property
    def destination(self) -> apigwv2.IAccessLogDestination:
        return self._destination

    @property
    def format(self) -> apigateway.AccessLogFormat:
        return apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG))


class Api(apigwv2.HttpApi):
    """Made before the functions, which are told its address, and opened to them after."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        key: kms.IKey,
        settings: Settings,
        authorizer: apigwv2.IHttpRouteAuthorizer,
    ) -> None:
        super().__init__(
            scope,
            id,
            api_name=settings.stack_name,
            create_default_stage=False,
            cors_preflight=_cors(settings) if settings.origins else None,
        )
        self.stage = apigwv2.HttpStage(
            self,
            "Stage",
            http_api=self,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=_AccessLog(LogGroup(self, "Log", key, settings)),
            throttle=apigwv2.ThrottleSettings(burst_limit=1000, rate_limit=500),
        )
        self.domain = self._domain(settings) if settings.domain else None
        self.public_url = settings.public_url or (
            f"https://{settings.domain}" if settings.domain else self.api_endpoint
        )
        self.authorizer = authorizer
        alarm(self, "ServerErrors", self.server_errors(), 1, "The API answered 5xx")

    def open(self, functions: Mapping[str, lambda_.IFunction]) -> dict[Route, apigwv2.HttpRoute]:
        doors = {
            # One permission per function, not per route: a Lambda's resource policy is small.
            name: HttpLambdaIntegration(name, functions[name], scope_permission_to_route=False)
            for name in dict.fromkeys(route.function for route in ROUTES)
        }
        return {route: self._open(route, doors[route.function]) for route in ROUTES}

    def server_errors(self) -> cloudwatch.Metric:
        return self.metric_server_error(period=Duration.minutes(5), statistic="Sum")

    def _open(self, route: Route, door: HttpLambdaIntegration) -> apigwv2.HttpRoute:
        authorizer = apigwv2.HttpNoneAuthorizer() if route.proof else self.authorizer
        (made,) = self.add_routes(
            path=route.path,
            methods=[apigwv2.HttpMethod(route.method)],
            integration=door,
            authorizer=authorizer,
        )
        return made

    def _domain(self, settings: Settings) -> apigwv2.DomainName:
        certificate = acm.Certificate.from_certificate_arn(self, "Certificate", settings.certificate_arn)
        domain = apigwv2.DomainName(self, "Domain", domain_name=settings.domain, certificate=certificate)
        apigwv2.ApiMapping(self, "Mapping", api=self, domain_name=domain, stage=self.stage)
        return domain


def _cors(settings: Settings) -> apigwv2.CorsPreflightOptions:
    methods = sorted({route.method for route in ROUTES if not route.proof})
    return apigwv2.CorsPreflightOptions(
        allow_origins=list(settings.origins),
        allow_methods=[apigwv2.CorsHttpMethod(method) for method in methods],
        allow_headers=["authorization", "content-type", "x-user-id", "idempotency-key", "if-none-match"],
        expose_headers=["etag", "retry-after"],
        max_age=Duration.hours(1),
    )
