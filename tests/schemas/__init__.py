"""The published schemas say what the code does: same fields, same limits, same verdict on the same bytes.

Three layers. The *contract* of a schema (its keywords without the prose) equals the contract of the Struct, so a field
or limit that only one side has fails. Both give the same verdict on records that were changed in one place. And what
they cannot agree on by nature stands in ``DISAGREEMENTS``, each with its reason, and is tested to still be so.

The AsyncAPI document is held to the settings and topics, and to the records as the worker sends them.
"""
