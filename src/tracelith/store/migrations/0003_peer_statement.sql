-- What a datastore call does to which tables; of spans stored before, nobody can tell any more.
ALTER TABLE operation ADD COLUMN peer_statement VARCHAR DEFAULT '';
ALTER TABLE operation ALTER COLUMN peer_statement SET NOT NULL;
