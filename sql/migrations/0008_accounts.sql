-- Whose an account of a player is, so that what it did can be evidence of a taste.

-- since: what happened up to then does not count any more; null where all counts.
CREATE TABLE listener_accounts (
    source    text NOT NULL,
    account   text NOT NULL,
    listener  text NOT NULL,
    since     timestamptz,
    PRIMARY KEY (source, account)
);
CREATE INDEX listener_accounts_listener ON listener_accounts (listener);
