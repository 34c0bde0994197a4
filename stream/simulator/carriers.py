"""Who carries parcels and letters from each country, and how often."""

import msgspec

from stream.simulator import tracking_numbers as numbers
from stream.simulator.tracking_numbers import TrackingNumber, s10
from stream.simulator.weighted import Weighted


class Carrier(msgspec.Struct, frozen=True):
    """One carrier's product from one country. ``name`` is the marketplace's name of the carrier."""

    name: str
    country: str
    method: str
    number: TrackingNumber

    @property
    def label(self) -> str:
        """What tells the carrier's operations in one country from those in another."""
        return f"{self.country} {self.name}"


PARCELS: dict[str, Weighted[Carrier]] = {
    "DE": Weighted(
        (
            Carrier("DHL", "DE", "Paket", numbers.dhl),
            Carrier("DPD", "DE", "Classic", numbers.dpd),
            Carrier("Hermes", "DE", "Paket", numbers.hermes),
            Carrier("GLS", "DE", "BusinessParcel", numbers.gls),
            Carrier("UPS", "DE", "Standard", numbers.ups),
        ),
        (50, 16, 14, 12, 8),
    ),
    "GB": Weighted(
        (
            Carrier("Royal Mail", "GB", "Tracked 48", s10("QA", "GB")),
            Carrier("Evri", "GB", "Standard", numbers.evri),
            Carrier("DPD", "GB", "Next Day", numbers.dpd),
            Carrier("UPS", "GB", "Standard", numbers.ups),
        ),
        (48, 28, 16, 8),
    ),
    "FR": Weighted(
        (
            Carrier("Colissimo", "FR", "Domicile", numbers.colissimo),
            Carrier("Chronopost", "FR", "Chrono 13", s10("XY", "FR")),
            Carrier("GLS", "FR", "BusinessParcel", numbers.gls),
            Carrier("UPS", "FR", "Standard", numbers.ups),
        ),
        (55, 20, 15, 10),
    ),
    "IT": Weighted(
        (
            Carrier("Poste Italiane", "IT", "Crono", s10("CX", "IT")),
            Carrier("BRT", "IT", "Standard", numbers.brt),
            Carrier("GLS", "IT", "BusinessParcel", numbers.gls),
            Carrier("UPS", "IT", "Standard", numbers.ups),
        ),
        (40, 30, 20, 10),
    ),
    "ES": Weighted(
        (
            Carrier("Correos", "ES", "Paq Estándar", s10("PK", "ES")),
            Carrier("Correos Express", "ES", "Paq 24", numbers.correos_express),
            Carrier("GLS", "ES", "BusinessParcel", numbers.gls),
            Carrier("UPS", "ES", "Standard", numbers.ups),
        ),
        (45, 25, 20, 10),
    ),
    "NL": Weighted(
        (
            Carrier("PostNL", "NL", "Pakket", numbers.postnl),
            Carrier("DPD", "NL", "Classic", numbers.dpd),
            Carrier("UPS", "NL", "Standard", numbers.ups),
        ),
        (65, 20, 15),
    ),
    "PL": Weighted(
        (
            Carrier("InPost", "PL", "Paczkomat", numbers.inpost),
            Carrier("DPD", "PL", "Classic", numbers.dpd),
            Carrier("UPS", "PL", "Standard", numbers.ups),
        ),
        (60, 25, 15),
    ),
    "US": Weighted(
        (
            Carrier("USPS", "US", "Ground Advantage", numbers.usps),
            Carrier("UPS", "US", "Ground", numbers.ups),
            Carrier("FedEx", "US", "Ground", numbers.fedex),
        ),
        (50, 30, 20),
    ),
}
"""By country of dispatch; the weights are rough market shares of parcels from online shops."""

LETTERS: dict[str, Carrier] = {
    "DE": Carrier("Deutsche Post", "DE", "Großbrief", s10("RR", "DE")),
    "GB": Carrier("Royal Mail", "GB", "Large Letter", s10("RN", "GB")),
    "FR": Carrier("La Poste", "FR", "Lettre verte", s10("LL", "FR")),
    "IT": Carrier("Poste Italiane", "IT", "Posta ordinaria", s10("RA", "IT")),
    "ES": Carrier("Correos", "ES", "Carta ordinaria", s10("RR", "ES")),
    "NL": Carrier("PostNL", "NL", "Letter", s10("RS", "NL")),
    "PL": Carrier("Poczta Polska", "PL", "Letter", s10("RR", "PL")),
    "US": Carrier("USPS", "US", "First-Class Envelope", numbers.usps),
}
"""The letter product of each country's post, in the names the policies know."""
