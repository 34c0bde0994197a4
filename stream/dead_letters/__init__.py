"""Dead letters from their readers' side: read, explained, written to a file, repaired there, and sent back."""

from stream.dead_letters.check import Check
from stream.dead_letters.letter import InvalidLetterError, Letter, Position, read_letter
from stream.dead_letters.ndjson import LetterFileError, decode_letter, encode_letter, read_file
from stream.dead_letters.read import NoLetterError, Wanted, letter_at, letters
from stream.dead_letters.resend import Planned, is_without_value, plan, problem_of, resend
from stream.dead_letters.summary import CodeSummary, Tally, summarise

__all__ = [
    "Check",
    "CodeSummary",
    "InvalidLetterError",
    "Letter",
    "LetterFileError",
    "NoLetterError",
    "Planned",
    "Position",
    "Tally",
    "Wanted",
    "decode_letter",
    "encode_letter",
    "is_without_value",
    "letter_at",
    "letters",
    "plan",
    "problem_of",
    "read_file",
    "read_letter",
    "resend",
    "summarise",
]
