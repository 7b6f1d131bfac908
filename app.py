"""The CDK app. Settings come from cdk.json and `-c name=value`; synthesis needs no credentials and no network."""

import aws_cdk as cdk

from infra import nag
from infra.settings import Settings
from infra.stack import Tributary

app = cdk.App()
Tributary(app, Settings.from_context(app.node))
nag.check(app)
app.synth()
