-- Results of sweeps. Times are Unix milliseconds; seeds are 64 bits, negative from 2^63 on.
CREATE TABLE sweeps (
    id          INTEGER PRIMARY KEY,
    command     TEXT NOT NULL,            -- run, sweep
    landfall    TEXT NOT NULL,            -- version
    revision    TEXT,                     -- of the code that was swept; + where files differ
    shard       INTEGER NOT NULL,         -- from 0
    shards      INTEGER NOT NULL,
    started_ms  INTEGER NOT NULL,
    ended_ms    INTEGER                   -- null while it runs, or when it was interrupted
);
CREATE TABLE tests (
    id          INTEGER PRIMARY KEY,
    sweep       INTEGER NOT NULL REFERENCES sweeps,
    package     TEXT NOT NULL,
    place       TEXT NOT NULL,            -- JSON: its directory, and the line that replays a seed
    test        TEXT NOT NULL,            -- its name in cargo test
    scenario    TEXT,                     -- its id in the plan
    plan        TEXT,
    plan_hash   TEXT,
    info        TEXT NOT NULL,            -- JSON: the test, with its scenario
    orders      TEXT NOT NULL,            -- JSON: which seeds, which of them twice, which budget
    verdict     TEXT,                     -- null until it is over
    reason      TEXT,
    reruns      TEXT,                     -- JSON: what was found by running seeds again
    UNIQUE (sweep, package, test)
);
CREATE TABLE seeds (
    test        INTEGER NOT NULL REFERENCES tests,
    seed        INTEGER NOT NULL,
    failed      INTEGER NOT NULL,         -- 0, 1
    landed      INTEGER NOT NULL,         -- every planned fault landed
    signature   TEXT,                     -- what kind of failure
    digest      TEXT,
    events      INTEGER,
    polls       INTEGER,
    virtual_ns  INTEGER,
    policy      TEXT,                     -- what the seed drew: its schedule
    swarm       TEXT,                     -- JSON: and everything else
    ok          INTEGER,                  -- client operations by how they ended
    no_effect   INTEGER,
    unknown     INTEGER,
    outcome     TEXT NOT NULL,            -- JSON: everything that the verdict rests on
    PRIMARY KEY (test, seed)
) WITHOUT ROWID;
CREATE TABLE ledger (
    test        INTEGER NOT NULL REFERENCES tests,
    seed        INTEGER NOT NULL,
    fault       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    target      TEXT NOT NULL,
    armed       INTEGER NOT NULL,         -- windows that opened
    standing    TEXT NOT NULL,            -- landed, masked, vacuous, ...
    injected    TEXT NOT NULL,            -- JSON: counters
    observed    TEXT NOT NULL,            -- JSON: counters
    PRIMARY KEY (test, seed, fault)
) WITHOUT ROWID;
CREATE TABLE probes (
    test        INTEGER NOT NULL REFERENCES tests,
    seed        INTEGER NOT NULL,
    name        TEXT NOT NULL,
    place       TEXT NOT NULL,
    reached     INTEGER NOT NULL,
    held        INTEGER NOT NULL,
    PRIMARY KEY (test, seed, name, place)
) WITHOUT ROWID;
-- Failures of one kind. The fastest is the one with the fewest events.
CREATE VIEW clusters AS
SELECT tests.sweep, tests.package, tests.test, tests.scenario, seeds.signature,
       count(*) AS failures,
       min(seeds.seed) AS first_seed,
       (SELECT s.seed FROM seeds AS s
         WHERE s.test = tests.id AND s.signature = seeds.signature
         ORDER BY s.events IS NULL, s.events, s.seed LIMIT 1) AS fastest_seed
  FROM seeds JOIN tests ON tests.id = seeds.test
 WHERE seeds.failed
 GROUP BY tests.id, seeds.signature;
PRAGMA user_version = 2;
