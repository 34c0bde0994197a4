"""Tracking numbers as the carriers print them, with their check digits.

Each function takes the seller's account number (six digits) with the carrier and the running number of the parcel
(seven digits), and never gives two parcels of an account the same number.
"""

from collections.abc import Callable

TrackingNumber = Callable[[int, int], str]

SERIALS = 10**7
"""Running numbers an account has: UPS prints seven digits, the fewest of all."""

_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_FEDEX_WEIGHTS = (3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1)


def dhl(account: int, serial: int) -> str:
    """DHL Paket: an SSCC of 18 digits behind the application identifier 00."""
    return _with_gs1_check(f"00340434{account % 10_000:04d}{serial:07d}")


def ups(account: int, serial: int) -> str:
    """UPS: 1Z, six characters of account, service 68, seven digits and a check digit."""
    body = f"{account:06X}68{serial:07d}"
    return f"1Z{body}{ups_check_digit(body)}"


def ups_check_digit(body: str) -> int:
    """The last digit of a UPS number, from the 15 characters between 1Z and it."""
    # UPS counts letters on from A = 2, modulo 10.
    values = [ord(character) - 48 if character.isdigit() else (ord(character) - 63) % 10 for character in body]
    return -(sum(values) + sum(values[1::2])) % 10


def dpd(account: int, serial: int) -> str:
    """DPD: 14 digits, the depot first."""
    return f"09{account % 100_000:05d}{serial:07d}"


def hermes(account: int, serial: int) -> str:
    """Hermes in Germany: 14 digits, the last a check digit."""
    return _with_gs1_check(f"4{account % 100_000:05d}{serial:07d}")


def evri(account: int, serial: int) -> str:
    """Evri: 16 characters that start with H."""
    return f"H{account:08d}{serial:07d}"


def gls(account: int, serial: int) -> str:
    """GLS: 11 digits."""
    return f"{account % 10_000:04d}{serial:07d}"


def colissimo(account: int, serial: int) -> str:
    """Colissimo: a two-character product and 11 digits."""
    return "6A" + _with_gs1_check(f"{account % 1000:03d}{serial:07d}")


def brt(account: int, serial: int) -> str:
    """BRT: 12 digits."""
    return f"{account % 100_000:05d}{serial:07d}"


def correos_express(account: int, serial: int) -> str:
    """Correos Express: 16 digits."""
    return f"32300{account % 10_000:04d}{serial:07d}"


def usps(account: int, serial: int) -> str:
    """USPS: 22 digits, 94001 for tracked parcels with an electronic label. A mailer id of six digits starts below 9."""
    return _with_gs1_check(f"94001{account % 800_000 + 100_000}{serial:010d}")


def fedex(account: int, serial: int) -> str:
    """FedEx: 12 digits."""
    body = f"{account % 10_000:04d}{serial:07d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _FEDEX_WEIGHTS, strict=True))
    return f"{body}{total % 11 % 10}"


def postnl(account: int, serial: int) -> str:
    """PostNL: 3S, four letters of account and nine digits."""
    return f"3SVTRK{account % 100:02d}{serial:07d}"


def inpost(account: int, serial: int) -> str:
    """InPost in Poland: 24 digits."""
    return f"6{account:016d}{serial:07d}"


def s10(service: str, country: str) -> TrackingNumber:
    """Postal items in the Universal Postal Union's S10 format, such as ``QA473124829GB``."""

    def number(account: int, serial: int) -> str:
        body = f"{account % 10}{serial:07d}"
        check = 11 - sum(int(digit) * weight for digit, weight in zip(body, _S10_WEIGHTS, strict=True)) % 11
        return f"{service}{body}{0 if check == 10 else 5 if check == 11 else check}{country}"

    return number


def _with_gs1_check(digits: str) -> str:
    total = 3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return f"{digits}{-total % 10}"
