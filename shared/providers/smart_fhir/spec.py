"""Any server of health records with SMART App Launch on FHIR R4: https://hl7.org/fhir/smart-app-launch/STU2.2/"""

from functools import partial

from shared.providers import Account, Map, OAuth2, Provider, Resource
from shared.providers.smart_fhir import mapping, server


def measured(name: str, category: str, map: Map, table: frozenset[str]) -> Resource:
    """A result is dated when the sample was taken, and may be told weeks later. One without a time of day is the day's
    figure."""
    return Resource(
        name=name, map=map, records="entry", fetch=partial(server.observations, category), next_page=server.next_link,
        scopes=("patient/Observation.rs", f"patient/Observation.rs?category={category}"), totals=table, spots=table,
        max_days=100, late_days=90, cadence="rare",
    )  # fmt: skip


PROVIDER = Provider(
    id="smart_fhir", name="SMART on FHIR", kind="record",
    docs="https://hl7.org/fhir/smart-app-launch/STU2.2/",
    base_url="", discover=server.discover,
    auth=OAuth2(
        authorize_url="", token_url="", client_auth="basic", granted=server.granted,
        scopes=("patient/Observation.rs", "patient/MedicationRequest.rs"),
    ),
    account=Account("patient", needed=True),
    check=server.check, verdict=server.verdict,
    resources=(
        measured("laboratory", "laboratory", mapping.laboratory, mapping.LABORATORY_METRICS),
        measured("vital_signs", "vital-signs", mapping.vital_signs, mapping.VITAL_METRICS),
        Resource(
            name="medications", map=mapping.medications, records="entry", fetch=server.prescriptions, current=True,
            mode="merge", next_page=server.next_link, scopes=("patient/MedicationRequest.rs",), cadence="rare",
        ),
    ),
)  # fmt: skip
