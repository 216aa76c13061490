-- Two attributes beside activity; null where a track was heard by an older MESS (`mess facets` adds them).
ALTER TABLE measures ADD COLUMN brightness real;
ALTER TABLE measures ADD COLUMN drive real;
