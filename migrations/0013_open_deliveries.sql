-- Why: the overview, the page of a feed and the list of what is in quarantine looked for the few deliveries that are not at
--      their end among all that ever came: 130 ms of a million, and more every day.
-- Writes: nothing.  Reads: the API (customers, feeds, deliveries), by customer as it does for files (files_open).
-- Cost: a delivery is in it from its arrival until it is read.

CREATE INDEX deliveries_open ON deliveries (customer_id, state) WHERE state IN ('parsing', 'quarantined', 'dead');
