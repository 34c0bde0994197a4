"""The same job in other frameworks, each file as that framework's own guide would have it.

The job: join order-shipped and tracking-uploaded events by shipment, keep the rolling 30-day VTR per seller, seller and
marketplace, and seller, marketplace and category, and send an alert when one falls below the threshold. Keys are seller
ids, so all state of a seller is in one partition.

What they leave out of what our worker does, so that they have less work and not more: the official window, pending
shipments and their grace period (a shipment without tracking is a defect at once), exemptions but those of shipments
that the marketplace fulfils, scans, metrics, dead letters (a broken record ends them), warn levels, recoveries, causes,
and the same alert ids after a crash.
"""
