"""Whose word we take for who is calling: the customer's own issuer, or a Cognito user pool made here."""

from aws_cdk import Aws
from aws_cdk import aws_cognito as cognito
from aws_cdk.aws_apigatewayv2 import IHttpRouteAuthorizer
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer, HttpUserPoolAuthorizer
from constructs import Construct

from infra.settings import Settings


class UserPool(cognito.UserPool):
    def __init__(self, scope: Construct, id: str, settings: Settings) -> None:
        super().__init__(
            scope,
            id,
            sign_in_aliases=cognito.SignInAliases(email=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
            ),
            deletion_protection=settings.retain,
            removal_policy=settings.removal_policy,
        )
        prefix = f"{settings.stack_name.lower()}-{Aws.ACCOUNT_ID}"
        self.add_domain("Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=prefix))
        self.browser = self._browser(settings)
        self.machine = self._machine()

    def _browser(self, settings: Settings) -> cognito.UserPoolClient:
        """No secret: the code flow with PKCE is what proves it is the same browser."""
        scopes = [cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL]
        return self.add_client(
            "Browser",
            generate_secret=False,
            prevent_user_existence_errors=True,
            auth_flows=cognito.AuthFlow(user_srp=True),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=scopes,
                callback_urls=list(settings.origins) or ["http://localhost:3000"],
            ),
        )

    def _machine(self) -> cognito.UserPoolClient:
        act_for_users = cognito.ResourceServerScope(
            scope_name="users:act", scope_description="Name any user in the x-user-id header"
        )
        server = self.add_resource_server("Tributary", identifier="tributary", scopes=[act_for_users])
        return self.add_client(
            "Machine",
            generate_secret=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(server, act_for_users)],
            ),
        )


def authorizer(settings: Settings, pool: UserPool | None) -> IHttpRouteAuthorizer:
    if pool is None:
        return HttpJwtAuthorizer("Jwt", settings.oidc_issuer, jwt_audience=list(settings.oidc_audience))
    # A Cognito access token carries `client_id` where others carry `aud`; API Gateway compares either.
    return HttpUserPoolAuthorizer("Jwt", pool, user_pool_clients=[pool.browser, pool.machine])
