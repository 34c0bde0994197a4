"""The headers that a rejected record gets, and the one it has when it is sent again. Everything else is its own."""

CODE = "vtr_error_code"
MESSAGE = "vtr_error_message"
SOURCE_TOPIC = "vtr_source_topic"
SOURCE_PARTITION = "vtr_source_partition"
SOURCE_OFFSET = "vtr_source_offset"
REJECTED_AT = "vtr_rejected_at"

ADDED = (CODE, MESSAGE, SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET, REJECTED_AT)
"""What every dead letter has after the headers of its record, in this order."""

VALUE_DROPPED = "vtr_value_dropped"
"""After these, where the broker did not take the value: its bytes."""

RESENT_FROM = "vtr_resent_from"
"""On a record that was a dead letter: the letter's topic, partition and offset, ``vtr-dead-letters:3:42``."""
