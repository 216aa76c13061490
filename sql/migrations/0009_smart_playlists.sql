-- More than one user of a media server, and smart playlists that are declared over HTTP.

-- listener: whose list is being read, for users need not see the same.
ALTER TABLE host_readings ADD COLUMN listener text NOT NULL DEFAULT '';

-- account: the user's id @ the server's id. rule: as in playlists.toml.
CREATE TABLE smart_playlists (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account     text NOT NULL,
    name        text NOT NULL,
    rule        jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account, name)
);
