-- Places below a watched folder where a disk was mounted once: while it is away, nothing below it is
-- given up.
ALTER TABLE roots ADD COLUMN mounts bytea[] NOT NULL DEFAULT '{}';
