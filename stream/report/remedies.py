"""What to do about a defect: one short sentence per reason code, to whoever ships the parcels."""

from typing import Final

from stream.records import DefectReason

REMEDIES: Final[dict[DefectReason, str]] = {
    "no_tracking": "Enter the number from the label or the carrier's receipt before the parcel is delivered; "
    "afterwards it no longer helps.",
    "no_carrier": "Name the carrier in the shipment confirmation: a number without one does not count.",
    "malformed_number": "Compare the number with the label and correct it; if it is the same, correct the carrier.",
    "placeholder_number": "Put the number from the label in the place of what was typed instead of one.",
    "reused_number": "Find out which of the orders had this label, and give the others the numbers of their own.",
    "late_tracking": "It cannot be repaired: from now on enter numbers when the label is printed, "
    "before the parcel leaves.",
    "no_scan": "Ask the carrier to confirm the handover and scan the parcel, and have pick-ups scanned from now on.",
    "second_scan_missing": "Ask the carrier where the parcel is: after the first scan it has not been seen again.",
    "carrier_not_integrated": "Send by a carrier that the marketplace has integrated; if it is one, "
    "give its name as the marketplace lists it.",
}
"""After a delivery nothing can be corrected: see late tracking in ``stream/policy/rules``."""
