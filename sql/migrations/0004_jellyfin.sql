-- Media servers: their items and which tracks these are, and the playlists that are kept there.

-- An item of a media server, by the server's own id. Either it is a track, found in the way that
-- matched_by names, or unmatched says why not.
CREATE TABLE host_items (
    host        text NOT NULL,
    item        text NOT NULL,
    name        text NOT NULL DEFAULT '',
    path        text,
    duration_s  double precision,
    recordings  text[] NOT NULL DEFAULT '{}',
    track_id    bigint REFERENCES tracks ON DELETE SET NULL,
    matched_by  text,
    unmatched   text,
    reading     integer NOT NULL,
    PRIMARY KEY (host, item)
);
CREATE INDEX host_items_track_id ON host_items (track_id);

-- How far a server's list was read, so that a reading that was cut short goes on.
CREATE TABLE host_readings (
    host         text PRIMARY KEY,
    number       integer NOT NULL DEFAULT 0,
    next_start   integer NOT NULL DEFAULT 0,
    started_at   timestamptz,
    finished_at  timestamptz,
    last_event   bigint NOT NULL DEFAULT 0
);

-- Playlists that are kept up to date, each for one listener. written: what the server showed after
-- the last write; intended: a write that was begun and not seen to end.
CREATE TABLE host_playlists (
    host          text NOT NULL,
    listener      text NOT NULL,
    playlist      text NOT NULL,
    name          text NOT NULL,
    written       text[] NOT NULL DEFAULT '{}',
    intended      text[],
    refreshed_at  timestamptz,
    PRIMARY KEY (host, listener, playlist)
);

-- What a listener changed by hand in such a playlist.
CREATE TABLE host_edits (
    host      text NOT NULL,
    listener  text NOT NULL,
    playlist  text NOT NULL,
    item      text NOT NULL,
    track_id  bigint REFERENCES tracks ON DELETE SET NULL,
    edit      text NOT NULL CHECK (edit IN ('pinned', 'removed')),
    ordinal   integer NOT NULL DEFAULT 0,
    PRIMARY KEY (host, listener, playlist, item),
    FOREIGN KEY (host, listener, playlist) REFERENCES host_playlists ON DELETE CASCADE
);
CREATE INDEX host_edits_track_id ON host_edits (track_id);
