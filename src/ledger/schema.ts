/**
 * Tables of the ledger, and how an older file becomes a newer one.
 *
 * Each entry of MIGRATIONS is one version, applied once, in order; entries are never edited after a release.
 * Times are epoch milliseconds. `facts`, `timings` and `instances` of a commitment are JSON text.
 */

import type { DatabaseSync } from "node:sqlite";
import { NodeError } from "../base/errors.ts";

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE series (
    id TEXT PRIMARY KEY,          -- study UID and series UID, separated by a blank
    study TEXT NOT NULL,
    uid TEXT NOT NULL,
    state TEXT NOT NULL,          -- open | closed
    revision BIGINT NOT NULL,     -- how often it was closed
    opened_at BIGINT NOT NULL,    -- first instance of this revision
    last_at BIGINT NOT NULL,      -- newest instance
    instances BIGINT NOT NULL,    -- with different SOP Instance UIDs
    closed_at BIGINT,
    reason TEXT,                  -- why it was judged complete
    outcome TEXT,                 -- assigned | kept-out | no-rule | rejected
    outcome_reason TEXT
  );
  CREATE TABLE instance (
    id TEXT PRIMARY KEY,          -- name of the file
    series TEXT NOT NULL,
    sop TEXT NOT NULL,
    sop_class TEXT NOT NULL,
    transfer_syntax TEXT NOT NULL,
    sha256 TEXT NOT NULL,         -- of the data set as received
    bytes BIGINT NOT NULL,
    calling TEXT NOT NULL,
    called TEXT NOT NULL,
    peer TEXT NOT NULL,
    at BIGINT NOT NULL,
    used BIGINT NOT NULL,         -- 1, or 0 where another one with this SOP Instance UID came first
    facts TEXT NOT NULL
  );
  CREATE UNIQUE INDEX instance_content ON instance (series, sop, sha256);
  CREATE TABLE run (
    id TEXT PRIMARY KEY,          -- derived from series, revision, model and model version
    series TEXT NOT NULL,
    revision BIGINT NOT NULL,
    rule TEXT NOT NULL,
    model TEXT NOT NULL,
    model_version TEXT NOT NULL,
    priority BIGINT NOT NULL,
    destinations TEXT NOT NULL,   -- JSON list of names
    position BIGINT NOT NULL,     -- of the model among those of the series, from 0
    state TEXT NOT NULL,          -- pending | done | no-finding | failed | quarantined | discarded
    code TEXT,
    reason TEXT,
    result_sop TEXT,
    result_class TEXT,
    result_sha256 TEXT,
    result_bytes BIGINT,
    timings TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
  );
  CREATE INDEX run_series ON run (series);
  CREATE TABLE delivery (
    id TEXT PRIMARY KEY,          -- derived from run and destination
    run TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL,          -- pending | delivered | held | replaced | discarded
    tries BIGINT NOT NULL,
    status BIGINT,                -- last DIMSE status
    reason TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
  );
  CREATE INDEX delivery_run ON delivery (run);
  CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    key TEXT NOT NULL,
    grp TEXT NOT NULL,
    priority BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    state TEXT NOT NULL,          -- ready | active | dead
    attempt BIGINT NOT NULL
  );
  CREATE UNIQUE INDEX job_ready ON job (queue, key) WHERE state = 'ready';
  CREATE UNIQUE INDEX job_active ON job (queue, key) WHERE state = 'active';
  CREATE INDEX job_due ON job (queue, state, run_at);
  `,
  // A run has results in several forms, files and parts; each object is delivered for itself.
  `
  CREATE TABLE result (
    run TEXT NOT NULL,
    file TEXT NOT NULL,           -- name in the folder of results
    form TEXT NOT NULL,           -- binary | labelmap | fractional
    part BIGINT NOT NULL,         -- from 1
    transfer_syntax TEXT NOT NULL,
    sop TEXT NOT NULL,            -- the same for one form and part, whatever the transfer syntax
    sop_class TEXT NOT NULL,
    sha256 TEXT NOT NULL,         -- of the file
    bytes BIGINT NOT NULL,
    PRIMARY KEY (run, file)
  );
  INSERT INTO result (run, file, form, part, transfer_syntax, sop, sop_class, sha256, bytes)
    SELECT id, id || '.dcm', 'binary', 1, '1.2.840.10008.1.2.1', result_sop, result_class, result_sha256, result_bytes
    FROM run WHERE result_sop IS NOT NULL;
  ALTER TABLE run DROP COLUMN result_sop;
  ALTER TABLE run DROP COLUMN result_class;
  ALTER TABLE run DROP COLUMN result_sha256;
  ALTER TABLE run DROP COLUMN result_bytes;
  ALTER TABLE delivery ADD COLUMN form TEXT NOT NULL DEFAULT 'binary';
  ALTER TABLE delivery ADD COLUMN part BIGINT NOT NULL DEFAULT 1;
  ALTER TABLE delivery ADD COLUMN transfer_syntax TEXT; -- in which it was taken
  `,
  // Lists of studies, newest first, and of what is not over; and destinations that get nothing for now.
  `
  CREATE INDEX series_recent ON series (last_at, id);
  CREATE INDEX series_of_study ON series (study, last_at, id);
  CREATE INDEX series_state ON series (state);
  CREATE INDEX run_state ON run (state);
  CREATE INDEX run_ended ON run (model, ended_at);
  CREATE INDEX delivery_state ON delivery (state, destination);
  CREATE INDEX delivery_ended ON delivery (destination, ended_at);
  CREATE TABLE pause (
    destination TEXT PRIMARY KEY,
    at BIGINT NOT NULL
  );
  `,
  // What destinations and devices take responsibility for.
  `
  CREATE TABLE commitment (
    id TEXT PRIMARY KEY,          -- ours: the Transaction UID; theirs: derived from it and who asked
    transaction_uid TEXT NOT NULL,
    kind TEXT NOT NULL,           -- asked: by us of a destination | answered: asked of us by a device
    peer TEXT NOT NULL,           -- name of the destination | AE title of the device
    origin TEXT NOT NULL,         -- asked: the delivery, or the id of what a device asked and is passed on; else empty
    state TEXT NOT NULL,          -- new | waiting | reporting | done | unknown | unreported
    instances TEXT NOT NULL,      -- JSON list: SOP class, SOP instance, and once known 0 or the Failure Reason
    created_at BIGINT NOT NULL,
    due_at BIGINT,                -- waiting: until when for the report
    ended_at BIGINT,
    reason TEXT                   -- what went wrong the last time
  );
  CREATE INDEX commitment_peer ON commitment (kind, peer, state);
  CREATE INDEX commitment_origin ON commitment (origin);
  CREATE INDEX instance_sop ON instance (sop);
  `,
  // Accounts that a person can check, work that is held, and orders of the operator.
  `
  CREATE TABLE study (
    uid TEXT PRIMARY KEY,
    patient TEXT,                 -- digest of Patient ID and its issuer, of the first instance that had one
    state TEXT NOT NULL,          -- ok | quarantined | discarded
    reason TEXT
  );
  INSERT INTO study (uid, state) SELECT DISTINCT study, 'ok' FROM series;
  ALTER TABLE instance ADD COLUMN duplicates BIGINT NOT NULL DEFAULT 0; -- how often the same bytes came again
  ALTER TABLE instance ADD COLUMN unused TEXT;                          -- why it is not used: conflict | late
  UPDATE instance SET unused = 'conflict' WHERE used = 0;
  CREATE INDEX study_state ON study (state, uid);
  CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    study TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL          -- UIDs, codes, counts; nothing of the patient
  );
  CREATE INDEX event_study ON event (study, id);
  CREATE TABLE command (
    id INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,           -- retry | discard
    study TEXT NOT NULL,
    state TEXT NOT NULL,          -- waiting | done
    outcome TEXT                  -- JSON
  );
  CREATE TABLE receipt (
    study TEXT NOT NULL,
    at BIGINT NOT NULL,
    text TEXT NOT NULL,           -- JSON: the account of a study whose files were removed
    PRIMARY KEY (study, at)
  );
  ALTER TABLE job ADD COLUMN code TEXT; -- why it is dead
  CREATE INDEX job_key ON job (queue, key);
  CREATE INDEX job_order ON job (queue, priority DESC, run_at, id, grp) WHERE state = 'ready';
  `,
];

/** @returns the version the file had; 0 is an empty one. @throws NodeError LEDGER_FAILED for a newer one */
export function migrate(database: DatabaseSync): number {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new NodeError("LEDGER_FAILED", `Ledger: version ${version} is newer than this program knows`);
  }
  for (const [at, statements] of MIGRATIONS.entries()) {
    if (at < version) continue;
    database.exec(`BEGIN IMMEDIATE; ${statements}; PRAGMA user_version=${at + 1}; COMMIT`);
  }
  return version;
}
