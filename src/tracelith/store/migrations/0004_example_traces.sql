-- The traces that open findings give as examples outlive the other spans of their time.
ALTER TABLE finding ADD COLUMN trace_ids VARCHAR[] DEFAULT [];
ALTER TABLE finding ALTER COLUMN trace_ids SET NOT NULL;
