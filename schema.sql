-- TransitPay's tables, in the order in which a tap becomes settled money.
--
-- Rules that hold everywhere:
--   * money is bigint minor units beside its currency; rates are numeric; instants are timestamptz;
--   * business time is always a parameter: no column but a lease is filled from the database clock;
--   * one writer for each state: the comment above a table names it; the grants at the end hold it;
--   * what is append-only has a trigger that refuses everything else, for every role;
--   * whatever can be retried has a natural key here, so that twice is once.
--
-- Applied once by `transitpay db init` as role transitpay_owner (the roles exist before).

create table schema_fingerprint (
    fingerprint text not null primary key,
    applied_at timestamptz not null
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

-- ---------------------------------------------------------------------------------------------
-- 1. Who takes part (written by owner and gateway)
-- ---------------------------------------------------------------------------------------------

-- A wallet, an operator, or the house.
create table participant (
    id text not null primary key check (id ~ '^[a-z][a-z0-9-]{1,31}$'),
    kind text not null check (kind in ('wallet', 'operator', 'house')),
    name text not null,
    currency char(3) not null,
    service_fee_rate numeric not null default 0 check (service_fee_rate between 0 and 1)
);

-- What is agreed with a wallet for fares in one currency, dated; the newest valid row counts.
create table wallet_agreement (
    wallet text not null references participant,
    fare_currency char(3) not null,
    valid_from date not null,
    fx_mode text not null check (fx_mode in ('WE_CONVERT', 'WALLET_CONVERTS')),
    charge_currency char(3) not null,
    settlement_currency char(3) not null,
    margin numeric not null check (margin >= 0 and margin < 1),
    fee_rate numeric not null check (fee_rate >= 0 and fee_rate < 1),
    bad_debt text not null check (bad_debt in ('issuer', 'operator', 'house')),
    recorded_at timestamptz not null,
    primary key (wallet, fare_currency, valid_from)
);

-- How a wallet partner is reached and which of its keys verify what it signs.
create table partner_endpoint (
    wallet text not null primary key references participant,
    base_url text not null,
    client_id text not null unique,      -- the partner's id on what it sends us
    our_client_id text not null,         -- our id on what we send it
    our_key_version int not null check (our_key_version > 0),
    file_layout text not null check (file_layout in ('alipayhk', 'alipay-cn', 'transitpay'))
);
create table partner_key (
    wallet text not null references participant,
    key_version int not null check (key_version > 0),
    public_pem text not null,
    not_after timestamptz,
    primary key (wallet, key_version)
);

-- A person or a machine that may call us: always a named actor with one role.
create table actor (
    id text not null primary key,
    name text not null,
    role text not null check (role in ('reader', 'wallet', 'operator', 'finance', 'auditor', 'admin')),
    participant text references participant,   -- the wallet or operator it acts for
    constraint actor_scope check (role in ('finance', 'auditor', 'admin') or participant is not null)
);
create table api_token (
    token_sha256 bytea not null primary key check (octet_length(token_sha256) = 32),
    actor text not null references actor,
    not_after timestamptz,
    revoked_at timestamptz
);
create index on api_token (actor);

-- What one proposes and another approves (four eyes), or anybody who may withdraws with a reason: it
-- has one end, and keeps it.
create table approval (
    id bigint generated always as identity primary key,
    subject text not null,
    content_sha256 bytea not null,
    proposed_by text not null references actor,
    approved_by text references actor,
    proposed_at timestamptz not null,
    approved_at timestamptz,
    withdrawn_by text references actor,
    withdrawn_at timestamptz,
    withdrawn_why text,
    constraint approval_four_eyes check (approved_by is null or approved_by <> proposed_by),
    constraint approval_one_end check (approved_by is null or withdrawn_by is null),
    constraint approval_withdrawn check (num_nulls(withdrawn_by, withdrawn_at, withdrawn_why) in (0, 3))
);
create trigger approval_ended before update on approval for each row
    when (old.approved_by is not null or old.withdrawn_by is not null)
    execute function refuse_change();
create trigger approval_kept before delete or truncate on approval
    for each statement execute function refuse_change();

-- A turnstile or bus reader; its id is also its actor's id.
create table reader (
    id text not null primary key references actor check (length(id) <= 32),
    operator text not null references participant,
    network text not null,
    destination smallint not null check (destination between 0 and 15),
    mode smallint not null check (mode between 0 and 7),
    stop text not null,
    direction text not null check (direction in ('entry', 'exit', 'board', 'alight', 'single')),
    service_excluded boolean not null default false,
    passback_s int not null default 300 check (passback_s >= 0),
    new_key_allowed boolean not null default false,   -- by an admin, for one enrolment
    decommissioned_at timestamptz
);
create index on reader (network);

-- The keys by which a reader signs what it uploads, numbered from 1; one of them is in use (gateway).
create table reader_key (
    reader text not null references reader,
    number int not null check (number between 1 and 65535),
    public_key bytea not null check (octet_length(public_key) = 33),
    first_position bigint not null check (first_position > 0),
    software text not null,
    enrolled_at timestamptz not null,
    retired_at timestamptz,              -- what was sealed until then is still taken
    primary key (reader, number),
    unique (reader, public_key)
);
create unique index reader_key_in_use on reader_key (reader) where retired_at is null;

-- What a reader last said of itself, and when it last called. Every scan of it up to through_at has
-- reached us; null: it never said so (gateway).
create table reader_status (
    reader text not null primary key references reader,
    last_sequence bigint,
    through_at timestamptz,
    seen_at timestamptz not null,
    clock_error_ms bigint,               -- its clock minus ours at the last heartbeat
    uncertainty_s int,
    last_position bigint,
    store_held int,
    store_capacity int,
    trust_version bigint,
    deny_version bigint,
    config_version bigint,
    software text
);

-- How far a reader's records are here without a gap and chained; locked by each upload (gateway).
create table reader_chain (
    reader text not null primary key references reader,
    acknowledged_through bigint not null,
    acknowledged_hash bytea not null,    -- of that record; the start of the chain if there is none
    key_number int not null,             -- under which that record is chained
    highest_position bigint not null
);

-- What is wrong with a reader or what it read, once; ended_at when it is no longer so (gateway).
create table reader_alarm (
    id bigint generated always as identity unique,
    reader text not null references reader,
    kind text not null check (kind in ('gap', 'cloned_reader', 'broken_chain', 'cloned_device',
        'clock_fault', 'silent', 'after_decommissioning', 'unrecorded_scans', 'store_full')),
    subject text not null,               -- the natural key of the fault within its kind
    detail jsonb not null,
    raised_at timestamptz not null,
    ended_at timestamptz,
    primary key (reader, kind, subject)
);
create index on reader_alarm (raised_at, id);

-- ---------------------------------------------------------------------------------------------
-- 2. Ride codes: keys, riders, authorisations, lists (written by the gateway)
-- ---------------------------------------------------------------------------------------------

-- One row a list; readers and gateways poll it and fetch what has a higher version. Modes are the
-- station modes, fares the highest fares of stops (raised by settlement), tariffs their versions.
create table list_version (
    list text not null primary key check (list in ('trust', 'deny', 'config', 'modes', 'fares', 'tariffs')),
    version bigint not null,
    changed_at timestamptz not null
);

-- A version of a list as readers fetch it; one gateway at a time signs the next. The records of the
-- deny list stand in deny_entry; of the others some old versions are kept, for deltas.
create table published_list (
    list text not null check (list in ('trust', 'deny', 'config')),
    scope text not null,                 -- the reader of a config, else ''
    version bigint not null check (version > 0),
    head bytea not null check (octet_length(head) = 278),
    records bytea,
    published_at timestamptz not null,
    primary key (list, scope, version),
    constraint published_list_records check ((list = 'deny') = (records is null)),
    constraint published_list_scope check ((list = 'config') = (scope <> ''))
);

-- When each version of the lists that are the same for all readers came out, and how long it was
-- good; kept for ever: records name versions, weeks later too, and somebody bears the fare (gateway).
create table list_issue (
    list text not null check (list in ('trust', 'deny')),
    version bigint not null check (version > 0),
    published_at timestamptz not null,
    use_by timestamptz not null,
    primary key (list, version)
);

-- By what number deny records call an issuer; given with its first key or entry, never changed.
create table issuer_number (
    number int generated always as identity primary key check (number between 1 and 65535),
    issuer text not null unique references participant check (issuer ~ '^[!-~]{1,32}$')
);

create table issuer_key (
    key_id int not null primary key check (key_id between 0 and 65535),
    issuer text not null references participant,
    algorithm text not null check (algorithm in ('ES256', 'Ed25519', 'SM2')),
    public_key bytea not null,
    destinations int not null,
    modes int not null,
    not_before timestamptz not null,
    not_after timestamptz not null check (not_after > not_before),
    status text not null check (status in ('active', 'retired', 'compromised')),
    compromised_at timestamptz,          -- since when nobody believes it; only with that status
    is_test boolean not null
);

-- A key with which a wallet wants to sign by itself, proved by a signature of its private half; its
-- number is given here. An admin's approval puts it on the trust list.
create table issuer_key_request (
    key_id int not null primary key check (key_id between 1 and 65535),
    issuer text not null references participant,
    algorithm text not null check (algorithm in ('ES256', 'Ed25519')),
    public_key bytea not null unique,
    destinations int not null,
    modes int not null,
    approval bigint not null references approval,
    requested_at timestamptz not null
);
create index on issuer_key_request (issuer);

-- The opaque rider behind a wallet's account. The only mutable link between a rider and a token:
-- erasing this row's account and token erases the person; books and digests do not change.
create table rider (
    issuer text not null references participant,
    rider_id text not null check (rider_id ~ '^[0-9a-f]{16}$'),
    account_ref text,                    -- the wallet's own reference; unique per wallet
    access_token text,                   -- what the wallet is charged by; may change on re-binding
    enrolled_at timestamptz not null,
    primary key (issuer, rider_id)
);
create unique index rider_account on rider (issuer, account_ref);

-- A destination that the rider switched on.
create table enrolment (
    issuer text not null,
    rider_id text not null,
    destination smallint not null check (destination between 0 and 15),
    enrolled_at timestamptz not null,
    ended_at timestamptz,
    primary key (issuer, rider_id, destination),
    foreign key (issuer, rider_id) references rider
);

-- What issuers signed for riders' phones, ours and those that wallets signed and reported.
create table authorisation (
    issuer text not null,
    rider_id text not null,
    serial bigint not null check (serial between 1 and 4294967295),
    request_id text,                     -- the wallet's key for the request: twice is once
    device_key bytea not null check (octet_length(device_key) = 33),
    issuer_part bytea not null check (octet_length(issuer_part) = 65),
    signature bytea not null check (octet_length(signature) = 64),
    not_before timestamptz not null,
    not_after timestamptz not null,
    issued_at timestamptz not null,
    -- the serial that was signed again because its key was compromised, once
    replaces bigint check (replaces < serial),
    key_id int generated always as (get_byte(issuer_part, 1) * 256 + get_byte(issuer_part, 2)) stored,
    primary key (issuer, rider_id, serial),
    constraint authorisation_request unique (issuer, request_id),
    constraint authorisation_replaced_once unique (issuer, rider_id, replaces),
    foreign key (issuer, rider_id) references rider
);

-- Settlement asks for a rider to be barred, because of a debt or a suspension, or for the end of it,
-- a wallet (through the gateway) revokes the serials of a lost phone; append-only inbox, of which the
-- gateway makes the list.
create table deny_request (
    id bigint generated always as identity primary key,
    issuer text not null,
    rider_id text not null,
    action text not null check (action in ('deny', 'release', 'revoke')),
    reason text not null,
    requested_at timestamptz not null,
    through_serial bigint check (through_serial between 1 and 4294967295),
    constraint deny_request_serial check ((action = 'revoke') = (through_serial is not null))
);
create unique index deny_request_revoked_once on deny_request (issuer, rider_id, through_serial)
    where action = 'revoke';
create index deny_request_rider on deny_request (issuer, rider_id, id);
-- Which requests stand in the list already. The gateway reads on from the highest one, with a
-- look back, because ids are given before they are committed.
create table deny_request_done (
    request bigint not null primary key references deny_request,
    at timestamptz not null
);
-- A bar and a revocation stand side by side: the higher serial is denied, and the end of the bar
-- leaves the revocation. Without a serial the rider is denied nothing any more; the row stays, so that
-- what changed since any version of the list is one range of versions.
create table deny_entry (
    issuer text not null references issuer_number (issuer),
    rider_id text not null check (rider_id ~ '^[0-9a-f]{16}$'),
    version bigint not null,             -- of the deny list, by which this row last changed
    barred_serial bigint,                  -- the last serial known when the bar was told, all if none; null = not barred
    barred_reason text,
    barred_request bigint references deny_request,   -- the newest word on the bar
    revoked_serial bigint,               -- of lost phones; never falls
    revoked_reason text,
    serial bigint generated always as (greatest(barred_serial, revoked_serial)) stored,
    primary key (issuer, rider_id)
);
create index deny_entry_version on deny_entry (version);

-- Exceptions that an operator declares for a stop or (stop null) a whole network. A record is never
-- changed: a later one that replaces it corrects or ends it; from = until says that it never held.
create table station_mode (
    id bigint generated always as identity primary key,
    operator text not null references participant,
    request_id text not null,            -- the operator's key: twice is once
    network text not null,
    stop text,
    mode text not null check (mode in ('gates_open', 'date_waiver', 'fare_waiver', 'emergency')),
    valid_from timestamptz not null,
    valid_until timestamptz,             -- null = until a later record ends it
    reason text not null,
    replaces text,                       -- the request id of the record that this one corrects
    recorded_by text not null references actor,
    recorded_at timestamptz not null,
    constraint station_mode_request unique (operator, request_id),
    constraint station_mode_replaced_once unique (operator, replaces),
    foreign key (operator, replaces) references station_mode (operator, request_id),
    constraint station_mode_period check (valid_until >= valid_from)
);
create index on station_mode (network, valid_from);
create trigger station_mode_append_only before update or delete or truncate on station_mode
    for each statement execute function refuse_change();

-- What people say of a journey after it, which they name by a tap that is known of it; append-only.
-- The one who speaks is a wallet for its rider, or an operator, whose correction counts from the
-- approval on (gateway).
create table journey_statement (
    stated_for text not null references participant,
    request_id text not null,            -- twice is once; of a declaration the journey itself
    kind text not null check (kind in ('declared', 'corrected')),
    issuer text not null,
    rider_id text not null,
    tapped_day date not null,
    reader text not null,
    sequence bigint not null,
    tapped_at timestamptz not null,
    network text not null,
    service_day date not null,
    stop text not null,                  -- where the missing tap would have been
    reason text not null,
    stated_by text not null references actor,
    stated_at timestamptz not null,
    approval bigint references approval,
    primary key (stated_for, request_id),
    constraint journey_statement_four_eyes check ((kind = 'corrected') = (approval is not null))
);
create unique index journey_statement_declared_once on journey_statement (tapped_day, reader, sequence)
    where kind = 'declared';
create index journey_statement_rider on journey_statement (issuer, rider_id, tapped_at);
create index journey_statement_approval on journey_statement (approval) where approval is not null;
create trigger journey_statement_append_only before update or delete or truncate on journey_statement
    for each statement execute function refuse_change();

-- A version of a network's tariff as one document, once; append-only. It counts from when it was
-- recorded, or, where a second person must look, approved; of two that begin on one day the later
-- counts (the gateway's role, by command; settlement those that come with the package or data folder).
create table tariff_version (
    network text not null,
    version text not null,
    valid_from date not null,            -- the first service day
    constraint tariff_version_name check (version ~ '^[A-Za-z0-9][A-Za-z0-9._#+/@:=-]{0,199}$'),
    constraint tariff_version_day check (valid_from between '1990-01-01' and '2199-12-31'),
    sha256 bytea not null check (octet_length(sha256) = 32),   -- of the document
    document text not null,
    recorded_by text references actor,   -- null: it came with the package or the data folder
    recorded_at timestamptz not null,
    approval bigint references approval, -- null: it began after all that was booked, and needs none
    primary key (network, version)
);
create trigger tariff_version_append_only before update or delete or truncate on tariff_version
    for each statement execute function refuse_change();

-- The highest plain fare from a stop (of a route) by each tariff version, for the ceilings of codes;
-- written by settlement when it loads the tariffs.
create table stop_fare (
    network text not null,
    stop text not null,                  -- its id in the tariff
    valid_from date not null,
    names text[] not null,               -- in the spelling by which names are compared
    currency char(3) not null,
    highest_minor bigint not null check (highest_minor >= 0),
    primary key (network, stop, valid_from)
);

-- What riders read for a stop of a tariff, or for a route; written by settlement with stop_fare.
create table stop_name (
    network text not null,
    stop text not null,
    zh_hant text not null,
    zh_hans text not null,
    en text not null,
    primary key (network, stop)
);

-- What each tariff version says of wallets and of journeys with a missing end; written by settlement
-- with stop_fare.
create table journey_terms (
    network text not null,
    valid_from date not null,
    longest_stay interval,               -- that an exit closes; null = no gates
    claims_a_month int,                  -- null = riders name no missing stations
    claims_within_days int,
    wallets text[] not null default '{}',  -- whose codes are taken; none = those of all
    primary key (network, valid_from),
    constraint journey_terms_claims check ((claims_a_month is null) = (claims_within_days is null))
);

-- ---------------------------------------------------------------------------------------------
-- 3. Taps (written by the gateway)
-- ---------------------------------------------------------------------------------------------

-- Every scan, accepted or refused, once. Partitioned by the day of the reader's own stamp.
create table tap (
    tapped_day date not null,
    reader text not null,
    sequence bigint not null,
    at timestamptz not null,
    received_at timestamptz not null,
    uncertainty_s int not null,
    operator text not null,
    network text not null,
    stop text not null,
    direction text not null,
    route text,
    vehicle text,
    stage_fare_minor bigint,
    tier text not null check (tier in ('online', 'batch')),
    reader_opened boolean,               -- what an offline reader did; null when we decided
    request_digest bytea not null,       -- of the request: another one under this key is a clone alarm
    code bytea,                          -- the bytes received, dropped after the claim period
    issuer text,                         -- from here on null when the code was not readable
    rider_id text,
    slot smallint,
    decision text check (decision in ('accepted', 'refused', 'already_answered')),
    reason text,
    flags text[] not null default '{}',
    mode text check (mode in ('gates_open', 'emergency', 'local')),   -- null = normal
    primary key (tapped_day, reader, sequence)
) partition by range (tapped_day);
create index tap_rider on tap (issuer, rider_id, at) where decision = 'accepted';
create index tap_refused on tap (issuer, rider_id, at) where decision <> 'accepted';

-- One row a ride code that opened: the replay protection. Partitioned by not_before, which is
-- inside the signed bytes, so that a code always meets its own earlier use.
create table code_use (
    not_before timestamptz not null,
    device_key bytea not null,
    serial bigint not null,
    counter int not null,
    content bytea not null,              -- digest of what the phone signed: other content, other phone
    tapped_day date not null,
    reader text not null,
    sequence bigint not null,
    at timestamptz not null,
    answered boolean not null default true,   -- we had opened the gate; else an earlier scan gets it
    constraint code_use_once primary key (not_before, device_key, serial, counter)
) partition by range (not_before);

-- Where a rider was last seen on a network: moves only forward in tap time. Never read by settlement.
create table presence (
    issuer text not null,
    rider_id text not null,
    slot smallint not null,
    network text not null,
    at timestamptz not null,
    stop text not null,
    direction text not null,
    reader text not null,
    destination smallint not null,       -- the region of that reader
    online boolean not null,             -- asked online by a reader whose clock was right
    since timestamptz,                   -- the at before this one: who moves a rider has read it
    primary key (issuer, rider_id, slot, network)
) with (fillfactor = 70);

-- Nobody gets from a gate of one region to a gate of the other in less: the quickest way between the
-- nearest two gates, dated; the newest row that has begun counts (written by the database's owner).
create table travel_minimum (
    one smallint not null check (one between 0 and 15),
    other smallint not null check (other between 0 and 15),
    valid_from date not null,
    minutes int not null check (minutes between 0 and 1440),
    constraint travel_minimum_once primary key (one, other, valid_from),
    constraint travel_minimum_order check (one < other)
);

-- Refuses a group of scans that was decided by a presence which has moved since.
create function seen_meanwhile() returns timestamptz language plpgsql as $$
begin
    raise exception 'a rider was seen meanwhile' using errcode = 'serialization_failure';
end $$;

-- A rider whose taps must be read (again), from the instant since on. Inserted with each tap, and by
-- whatever else makes a rider be read: a statement, a mode, a tariff, a limit that passed, a rate that
-- was awaited. Deleted by settlement's clearing.
create table tap_inbox (
    id bigint generated always as identity primary key,
    shard smallint not null check (shard between 0 and 63),
    issuer text not null,
    rider_id text not null,
    due_at timestamptz not null,
    since timestamptz                    -- nothing before it is concerned; null: not known
) with (fillfactor = 80);
create index tap_inbox_due on tap_inbox (shard, due_at);

-- A sealed batch as received; append-only. The body is kept only of a batch that does not agree with
-- the reader's chain: nothing that a reader has signed is lost.
create table reader_batch (
    reader text not null,
    key_number int not null,
    first_position bigint not null,
    last_position bigint not null,
    hash_before bytea not null check (octet_length(hash_before) = 32),
    hash_after bytea not null check (octet_length(hash_after) = 32),
    sealed_at timestamptz not null,
    received_at timestamptz not null,
    hashes bytea not null,               -- of each record in order, 32 bytes each
    agrees boolean not null,             -- with all that agrees at its positions, under the same key
    body bytea,
    primary key (reader, first_position, last_position, hash_after),
    foreign key (reader, key_number) references reader_key,
    constraint reader_batch_body check (agrees = (body is null)),
    constraint reader_batch_hashes check (
        octet_length(hashes) = 32 * (last_position - first_position + 1))
);
create trigger reader_batch_append_only before update or delete or truncate on reader_batch
    for each statement execute function refuse_change();

-- What the reader did with a scan, beside the tap that says what became of it; once a tap.
create table tap_record (
    tapped_day date not null,
    reader text not null,
    sequence bigint not null,
    position bigint,                     -- null: of a reader without a key, as is record_hash
    record_hash bytea,                   -- its place in the chain
    at timestamptz not null,
    received_at timestamptz not null,
    decided_by text not null check (decided_by in ('reader', 'gateway')),
    decision text not null check (decision in ('accepted', 'refused', 'already_answered')),
    reason text,
    flags text[] not null,
    mode text not null check (mode in ('normal', 'open', 'emergency', 'local')),
    trust_version bigint not null,
    deny_version bigint not null,
    config_version bigint not null,
    variant text,
    trip text,
    stop_index smallint,
    outcome text check (outcome in ('passed', 'not_passed', 'timed_out', 'forced_open')),
    difference text,                     -- from our own judgement, and who bears the fare for it
    liable text check (liable in ('issuer', 'operator', 'rider', 'house')),
    primary key (tapped_day, reader, sequence),
    constraint tap_record_one_liable check ((difference is null) = (liable is null))
) partition by range (tapped_day);
create index on tap_record (reader, position);

-- The records of a reader that are no scans: boots, events, and what followed a scan.
create table reader_event (
    reader text not null,
    position bigint not null,
    record_hash bytea not null,
    at timestamptz not null,
    received_at timestamptz not null,
    kind text not null,                  -- boot, outcome, or the name of the event
    sequence bigint,                     -- of the scan of an outcome, else null
    detail jsonb not null,
    primary key (reader, position, record_hash),
    constraint reader_event_outcome check ((kind = 'outcome') = (sequence is not null))
);
create index on reader_event (reader, sequence) where sequence is not null;

-- What no partition would take, or what alone was unfit; never fails its group.
create table tap_quarantine (
    tapped_day date not null,
    reader text not null,
    sequence bigint not null,
    received_at timestamptz not null,
    reason text not null,
    request_digest bytea not null,
    request jsonb not null,
    primary key (tapped_day, reader, sequence, request_digest)
);

-- A reader that sent other content under a sequence it had used.
create table clone_alarm (
    id bigint generated always as identity primary key,
    tapped_day date not null,
    reader text not null,
    sequence bigint not null,
    request_digest bytea not null,
    received_at timestamptz not null,
    unique (tapped_day, reader, sequence, request_digest)
);

-- Makes the partitions for the days from..to (both included); calling it again changes nothing.
create function ensure_partitions(first_day date, last_day date) returns int
language plpgsql security definer set search_path = public as $$
declare
    day date := first_day;
    made int := 0;
begin
    if last_day - first_day > 400 then
        raise exception 'too many days at once' using errcode = 'invalid_parameter_value';
    end if;
    perform pg_advisory_xact_lock(7364001);
    while day <= last_day loop
        if to_regclass(format('tap_%s', to_char(day, 'YYYYMMDD'))) is null then
            execute format('create table %I partition of tap for values from (%L) to (%L)',
                'tap_' || to_char(day, 'YYYYMMDD'), day, day + 1);
            made := made + 1;
        end if;
        if to_regclass(format('tap_record_%s', to_char(day, 'YYYYMMDD'))) is null then
            execute format('create table %I partition of tap_record for values from (%L) to (%L)',
                'tap_record_' || to_char(day, 'YYYYMMDD'), day, day + 1);
            made := made + 1;
        end if;
        if to_regclass(format('code_use_%s', to_char(day, 'YYYYMMDD'))) is null then
            execute format('create table %I partition of code_use for values from (%L) to (%L)',
                'code_use_' || to_char(day, 'YYYYMMDD'),
                (day::text || ' 00:00:00+00')::timestamptz,
                ((day + 1)::text || ' 00:00:00+00')::timestamptz);
            made := made + 1;
        end if;
        day := day + 1;
    end loop;
    return made;
end $$;

-- ---------------------------------------------------------------------------------------------
-- 4. Rates, journeys, charges (written by settlement)
-- ---------------------------------------------------------------------------------------------

-- What sources said, kept with the guard's word on it.
create table rate_observation (
    id bigint generated always as identity primary key,
    base char(3) not null,
    quote char(3) not null,
    mid numeric,
    source text not null,
    observed_at timestamptz not null,
    fetched_at timestamptz not null,
    refusal text,                        -- null = passed the guard
    constraint rate_observation_once unique (base, quote, source, observed_at)
);

-- The published log: a row for every minute, in order; null = a gap. Never changed.
create table rate (
    base char(3) not null,
    quote char(3) not null,
    effective_at timestamptz not null check (date_trunc('minute', effective_at) = effective_at),
    mid numeric check (mid > 0),
    source text not null,
    published_at timestamptz not null,
    primary key (base, quote, effective_at)
);
create trigger rate_append_only before update or delete or truncate on rate
    for each statement execute function refuse_change();

-- The exact conversion of one fare; the remainder (major units) is kept and never posted.
create table quote (
    id text not null primary key,
    effective_at timestamptz not null,
    fare_minor bigint not null,
    fare_currency char(3) not null,
    charge_minor bigint not null,
    charge_currency char(3) not null,
    mid numeric not null,
    margin numeric not null,
    customer_rate numeric not null,
    mid_value_minor bigint not null,
    spread_minor bigint not null,
    remainder numeric not null
);

-- A journey with its fare as it was cleared, a row a revision. What is no longer as it ought to be is
-- ended and booked anew as the next revision of its key, each with a quote of its own: rows are added,
-- and change only when they end or when a rate that was awaited comes (settlement).
create table journey (
    id text not null primary key,        -- the key; key~2, key~3 of later revisions
    key text not null,                   -- of the first tap: day/reader/sequence
    revision int not null default 1 check (revision > 0),
    issuer text not null,
    rider_id text not null,
    slot smallint not null,
    network text not null,
    operator text not null references participant,
    kind text not null,
    state text not null,
    reason text,
    route text,
    entry_stop text,
    exit_stop text,
    entry_at timestamptz,
    exit_at timestamptz,
    filled_by text,                      -- who or what said the end that has no tap
    filled_stops text[],
    filled_ref text,
    excuse text,                         -- why something is not held against the rider
    late boolean not null default false, -- priced alone: its tap came after the late window
    priced_at timestamptz not null,
    service_day date not null,
    cleared_at timestamptz not null,
    fare_minor bigint not null,
    fare_currency char(3) not null,
    fare_lines jsonb not null,
    tariff_version text not null,
    quote_id text references quote,
    charge_minor bigint,                 -- what the rider owes for it; null while there is no rate
    charge_currency char(3),
    ended_at timestamptz,                -- null = it stands
    ended_why text,                      -- other_taps, other_end, other_fare, given_back, or why a
                                         -- tap of it was refused after all
    replaced_by text references journey, -- the journey that has its first tap now
    constraint journey_revision check (id = key || case revision when 1 then '' else '~' || revision end),
    constraint journey_charge check ((charge_minor is null) = (charge_currency is null)),
    constraint journey_ended check ((ended_at is null) = (ended_why is null)),
    constraint journey_replaced check (replaced_by is null or ended_at is not null)
);
create index journey_rider on journey (issuer, rider_id, priced_at);
create index journey_day on journey (service_day, operator);
create unique index journey_key on journey (key, revision);
create index on journey (replaced_by) where replaced_by is not null;
create index journey_missing_exit on journey (issuer, rider_id, priced_at)
    where reason = 'missing_exit' and ended_at is null;
create index journey_half on journey (network, service_day, (coalesce(entry_at, exit_at)))
    where reason in ('missing_exit', 'missing_entry') and ended_at is null;

-- The taps of the journeys that stand. A tap belongs to one of them at most: this key is "every tap
-- booked once".
create table journey_tap (
    tapped_day date not null,
    reader text not null,
    sequence bigint not null,
    journey_id text not null references journey,
    primary key (tapped_day, reader, sequence)
);
create index on journey_tap (journey_id);

-- A tap of which the last reading of its rider made no journey, with the reason; it never fails its
-- batch, and is looked at again with every reading (settlement).
create table tap_set_aside (
    tapped_day date not null,
    reader text not null,
    sequence bigint not null,
    reason text not null,
    at timestamptz not null,
    primary key (tapped_day, reader, sequence)
);

-- A debt of a rider at the wallet. Attempts to collect it stand apart.
create table charge (
    id text not null primary key check (length(id) <= 56),
    journey_id text not null references journey,   -- for which it was first made; parts say the rest
    wallet text not null references participant,
    issuer text not null,
    rider_id text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency char(3) not null,
    state text not null,
    created_at timestamptz not null,
    next_action text,
    next_at timestamptz,                 -- null = nothing left to do
    attempts int not null default 0,
    captured_at timestamptz,             -- the wallet's completion time
    refused_code text,                   -- the wallet's final no, also to what this replaced
    refused_since timestamptz,           -- when it first said so
    denies_rider boolean not null default false,   -- Charge.denies_rider, for who asks by rider
    awaits_refund text,                  -- a refund in doubt whose money may pay: not asked for before
    lease_until timestamptz,             -- the only column compared with the database clock
    constraint charge_refused check ((refused_code is null) = (refused_since is null)),
    constraint charge_denies check (not denies_rider or refused_code is not null),
    constraint charge_awaits check (awaits_refund is null or (state = 'DUE' and next_at is null))
);
create index charge_due on charge (wallet, next_at) where next_at is not null;
create index charge_in_flight on charge (wallet, next_at) where state = 'IN_FLIGHT';
create index charge_denies_rider on charge (issuer, rider_id) where denies_rider;
create index on charge (journey_id);

-- Which part of which charge pays for which standing journey (settlement). A correction writes them
-- anew: what journeys that ended had paid pays for others. Parts of a charge sum to its amount less
-- what was given back of it; a withdrawn one has none.
create table charge_part (
    charge_id text not null references charge,
    journey_id text not null references journey,
    amount_minor bigint not null check (amount_minor > 0),   -- in the charge's currency
    primary key (charge_id, journey_id)
);
create index on charge_part (journey_id);

-- One request id each. The body is stored before the first sending and re-sent byte for byte.
create table charge_attempt (
    request_id text not null primary key check (length(request_id) <= 64),
    charge_id text not null references charge,
    n int not null check (n > 0),
    body bytea not null,
    state text not null,
    first_sent_at timestamptz,
    inquiries int not null default 0,
    payment_id text,
    paid_at timestamptz,
    settlement_minor bigint,
    settlement_currency char(3),
    wallet_quote jsonb,
    result_code text,
    absent_days date[] not null default '{}',   -- of files that lack the payment
    unique (charge_id, n)
);
-- At most one attempt of a charge may hold money.
create unique index charge_attempt_holds_money on charge_attempt (charge_id)
    where state in ('SENT', 'UNKNOWN', 'CANCELLING', 'CAPTURED');

-- Everything a wallet told us about an attempt, in the order we learnt it.
create table charge_evidence (
    id bigint generated always as identity primary key,
    request_id text not null,
    kind text not null,
    at timestamptz not null,
    content jsonb not null,
    effect text not null
);
create index on charge_evidence (request_id);
create trigger charge_evidence_append_only before update or delete or truncate on charge_evidence
    for each statement execute function refuse_change();

-- Verified notifications of wallets: an append-only inbox of the gateway.
create table notification (
    id bigint generated always as identity primary key,
    wallet text not null references participant,
    body_sha256 bytea not null,
    body bytea not null,
    received_at timestamptz not null,
    unique (wallet, body_sha256)
);
-- What settlement made of each.
create table notification_done (
    notification_id bigint not null primary key references notification,
    effect text not null,
    at timestamptz not null
);

-- Journeys that operators give back, append-only: a statement on the journey that the clearing reads
-- (written by the gateway).
create table refund_request (
    id text not null primary key check (length(id) <= 80),
    journey_id text not null,
    reason text not null,
    requested_by text not null references actor,
    requested_at timestamptz not null
);
create index on refund_request (journey_id);
-- What settlement made of each.
create table refund_request_done (
    request text not null primary key references refund_request,
    effect text not null,
    at timestamptz not null
);
create table refund (
    request_id text not null constraint refund_once primary key check (length(request_id) <= 64),
    charge_id text not null references charge,
    attempt_request_id text not null references charge_attempt,
    amount_minor bigint not null check (amount_minor > 0),
    currency char(3) not null,
    reason text not null,
    body bytea not null,
    state text not null check (state in ('PREPARED', 'UNKNOWN', 'REFUNDED', 'REFUSED')),
    created_at timestamptz not null,
    next_at timestamptz,
    refunded_at timestamptz,
    result_code text,
    awaited_since timestamptz,           -- since when a correction that needs more money waits for it
    lease_until timestamptz
);
create index on refund (charge_id);
create index on refund (attempt_request_id);
create index refund_due on refund (next_at) where next_at is not null;
create index refund_refused on refund (charge_id) where state = 'REFUSED';
create index refund_unknown on refund (created_at) where state = 'UNKNOWN';
alter table charge add foreign key (awaits_refund) references refund;
-- At most one debt awaits a refund: its money pays once.
create unique index charge_awaits_refund on charge (awaits_refund) where awaits_refund is not null;

-- Why and how long a rider's codes are suspended for missing exits; it ends when few enough are left,
-- or by a person (settlement).
create table suspension (
    id bigint generated always as identity primary key,
    issuer text not null,
    rider_id text not null,
    network text not null,
    why text not null check (why in ('missing_exits', 'evasion')),
    counted int not null,                -- missing exits within so many days, where
    days int not null,
    more_than int not null,              -- as many are suffered
    since timestamptz not null,
    until timestamptz,                   -- when few enough are left, if nothing changes before
    noticed_at timestamptz not null,
    ended_at timestamptz,
    constraint suspension_until check ((why = 'evasion') = (until is null))
);
create unique index suspension_open on suspension (issuer, rider_id, network, why)
    where ended_at is null;
create index on suspension (network, id);
-- A person's word that a suspension ends; what is missing up to then is forgiven (gateway, once).
create table suspension_end (
    suspension bigint not null primary key references suspension,
    reason text not null,
    ended_by text not null references actor,
    at timestamptz not null
);

-- The terms by which a network's riders are suspended, as they were seen last (settlement). When they
-- change, whoever they may concern is read again, a batch at a time.
create table suspension_terms (
    network text not null primary key,
    terms text not null,
    changed_at timestamptz not null,
    after_issuer text,                   -- the last rider who was asked to be read again
    after_rider text,
    done_at timestamptz,                 -- when everybody was; null: not yet
    constraint suspension_terms_after check (
        (after_issuer is null) = (after_rider is null) and (after_issuer is null) = (done_at is not null))
);

-- ---------------------------------------------------------------------------------------------
-- 5. The ledger (written by settlement; append-only)
-- ---------------------------------------------------------------------------------------------

create table account (
    name text not null,
    currency char(3) not null,
    kind text not null check (kind in ('asset', 'liability', 'income', 'expense', 'clearing', 'position')),
    primary key (name, currency)
);
create table entry (
    id bigint generated always as identity primary key,
    key text not null constraint entry_once unique,
    kind text not null,
    at timestamptz not null,
    journey_id text,
    charge_id text
);
create index on entry (journey_id);
create index entry_given_twice on entry (at) where kind = 'given_twice';
-- One record is a debit and a credit of one amount: an imbalance cannot be written.
create table posting (
    entry_id bigint not null references entry,
    n smallint not null,
    debit text not null,
    credit text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency char(3) not null,
    primary key (entry_id, n),
    constraint posting_two_accounts check (debit <> credit),
    foreign key (debit, currency) references account (name, currency),
    foreign key (credit, currency) references account (name, currency)
);
create trigger entry_append_only before update or delete or truncate on entry
    for each statement execute function refuse_change();
create trigger posting_append_only before update or delete or truncate on posting
    for each statement execute function refuse_change();

-- ---------------------------------------------------------------------------------------------
-- 6. The night: windows, netting, files, reconciliation (written by settlement)
-- ---------------------------------------------------------------------------------------------

-- Inserted with each booking, one row per window it belongs to; moved to window_item at closing.
-- operator windows hold fares and refunds in fare currency by service day;
-- wallet windows hold captures, refunds and cancellations in settlement currency by wallet day.
create table open_item (
    kind text not null check (kind in ('operator', 'wallet')),
    item text not null,
    item_kind text not null check (item_kind in ('fare', 'fare_reversal', 'capture', 'refund', 'cancel')),
    participant text not null references participant,
    day date not null,
    currency char(3) not null,
    amount_minor bigint not null,        -- signed: money towards the participant's window
    ref text not null,                   -- journey id, or the wallet's request id
    primary key (kind, item)
);
create index on open_item (kind, participant, day);

create table closed_window (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('operator', 'wallet')),
    participant text not null references participant,
    day date not null,
    closed_at timestamptz not null,
    unique (kind, participant, day)
);
create table window_item (
    kind text not null,
    item text not null,
    item_kind text not null,
    window_id bigint not null references closed_window,
    day date not null,
    currency char(3) not null,
    amount_minor bigint not null,
    ref text not null,
    primary key (kind, item)
);
create index on window_item (window_id);
create index on window_item (kind, ref);
create trigger closed_window_append_only before update or delete or truncate on closed_window
    for each statement execute function refuse_change();
create trigger window_item_append_only before update or delete or truncate on window_item
    for each statement execute function refuse_change();

-- A closing of the books: the entries that no earlier closing holds, and the digest chain.
create table closing (
    number int not null primary key,
    day date not null unique,
    at timestamptz not null,
    entries bigint not null,
    previous_digest bytea not null,
    digest bytea not null
);
create table closed_entry (
    entry_id bigint not null primary key references entry,
    closing int not null references closing
);
create table closing_balance (
    closing int not null references closing,
    account text not null,
    currency char(3) not null,
    debit_minor numeric not null,
    credit_minor numeric not null,
    primary key (closing, account, currency)
);

-- Who owes whom after a day, per currency: positive = the house pays the participant.
create table net_position (
    day date not null,
    participant text not null,           -- 'house:...' rows are the house's own
    currency char(3) not null,
    amount_minor bigint not null,
    detail jsonb not null,
    primary key (day, participant, currency)
);

-- Files that we wrote for operators and wallets.
create table statement_file (
    day date not null,
    participant text not null references participant,
    name text not null,
    sha256 bytea not null,
    size_bytes bigint not null,
    written_at timestamptz not null,
    primary key (day, participant, name)
);

-- Files of wallets, kept raw in a content-addressed folder.
create table wallet_file (
    id bigint generated always as identity primary key,
    wallet text not null references participant,
    day date not null,
    kind text not null check (kind in ('transactions', 'settlement')),
    name text not null,
    sha256 bytea not null,
    size_bytes bigint not null,
    state text not null check (state in ('RECEIVED', 'VALIDATED', 'LOADED', 'MATCHED', 'QUARANTINED')),
    problems jsonb not null default '[]',
    received_at timestamptz not null,
    unique (wallet, day, kind, sha256)
);

-- The natural key of a run: the same inputs again are no new run.
create table recon_run (
    id bigint generated always as identity primary key,
    wallet text not null references participant,
    day date not null,
    revision int not null check (revision > 0),
    file_digest bytea not null,
    rules_version text not null,
    internal_digest bytea not null,
    carried_digest bytea not null,
    result_digest bytea not null,
    counts jsonb not null,
    at timestamptz not null,
    unique (wallet, day, file_digest, rules_version, internal_digest, carried_digest),
    unique (wallet, day, revision)
);
create table recon_break (
    run_id bigint not null references recon_run,
    n int not null,
    wallet text not null,
    day date not null,
    kind text not null,
    request_id text not null,
    internal_minor bigint,
    external_minor bigint,
    currency char(3),
    detail jsonb not null,
    state text not null check (state in ('OPEN', 'CARRIED', 'AUTO_RESOLVED')),
    primary key (run_id, n)
);

-- One row a step, day and participant: what the night has done and what it waits for.
create table night_step (
    day date not null,
    step text not null,
    participant text not null,
    state text not null check (state in ('DONE', 'WAITING', 'FAILED')),
    reason text,
    wait_until timestamptz,
    updated_at timestamptz not null,
    primary key (day, step, participant)
);

-- ---------------------------------------------------------------------------------------------
-- 7. Control
-- ---------------------------------------------------------------------------------------------

create table audit_log (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    subject text not null,
    detail jsonb not null default '{}'
);
create trigger audit_log_append_only before update or delete or truncate on audit_log
    for each statement execute function refuse_change();

-- ---------------------------------------------------------------------------------------------
-- 8. What one service shows of the other
-- ---------------------------------------------------------------------------------------------

-- What wallets keep of riders' money because they refused to give it back: a row a payment, with the last
-- refund that was refused, the sum that neither pays for a ride nor is asked for again, and since when.
create view owed_to_rider as
select r.request_id, r.charge_id, c.wallet, c.issuer, c.rider_id, c.journey_id, o.amount_minor,
       r.currency, r.result_code, r.since
from (
    select distinct on (x.charge_id, x.attempt_request_id) x.request_id, x.charge_id,
           x.attempt_request_id, x.currency, x.result_code,
           min(x.created_at) over (partition by x.charge_id, x.attempt_request_id) as since
    from refund x
    where x.state = 'REFUSED'
    order by x.charge_id, x.attempt_request_id, x.created_at desc, x.request_id desc
) r
join charge c on c.id = r.charge_id
join charge_attempt a on a.request_id = r.attempt_request_id and a.state in ('CAPTURED', 'SURPLUS')
cross join lateral (
    select c.amount_minor
        - (select coalesce(sum(b.amount_minor), 0) from refund b
           where b.attempt_request_id = r.attempt_request_id and b.state <> 'REFUSED')
        - case a.state when 'SURPLUS' then 0 else
          (select coalesce(sum(p.amount_minor), 0) from charge_part p where p.charge_id = c.id) end
        as amount_minor
) o
where o.amount_minor > 0;

-- What wallets owe us because they gave riders money back twice: a payment was cancelled whole, and a
-- part of it was refunded.
create view wallet_claim as
select r.request_id, r.attempt_request_id, r.charge_id, c.wallet, c.issuer, c.rider_id, c.journey_id,
       p.amount_minor, p.currency, 'cancelled_and_refunded' as why, e.at as since
from entry e
join posting p on p.entry_id = e.id
join refund r on e.key = 'given_twice:' || r.request_id
join charge c on c.id = r.charge_id
where e.kind = 'given_twice';

-- Refunds to which a wallet has not said yes or no, though it was asked, and what waits for them: a
-- correction since when, and how much of a rider's debt.
create view doubtful_refund as
select r.request_id, r.charge_id, c.wallet, c.issuer, c.rider_id, c.journey_id, r.amount_minor,
       r.currency, r.result_code, r.created_at as since, r.awaited_since,
       coalesce(w.amount_minor, 0) as awaiting_minor
from refund r
join charge c on c.id = r.charge_id
left join charge w on w.awaits_refund = r.request_id
where r.state = 'UNKNOWN';

-- The journey, and all that stood for its ride before: earlier revisions, and what they or it replaced. A
-- tap that comes late before the first one gives a ride another key, so the key alone does not lead there.
create function with_those_before(journey_id text) returns setof text
language sql stable rows 3 as $$
    with recursive line as (
        select id, key, revision from journey where id = journey_id
        union
        select p.id, p.key, p.revision
        from line
        cross join lateral (
            select b.id, b.key, b.revision from journey b
            where b.key = line.key and b.revision < line.revision
            union all
            select b.id, b.key, b.revision from journey b where b.replaced_by = line.id
        ) p
    )
    select id from line
$$;

-- A rider's journeys as they stand, and those that are gone without another in their place, with fare,
-- conversion and the state of the charges. A wallet sees its own. The charge state is the worst of the
-- charges that pay for the journey; refunds are those of these charges, which may pay for others too,
-- and of those made for what stood before.
-- corrected_... tell what stood in its place before: the revisions that it replaced, in sum, and what
-- the wallet had refused to give back until then (each refund asks for all that a charge keeps).
create view ride_record as
select j.id, j.key, j.revision, j.issuer, j.rider_id, j.slot, j.network, j.operator, j.kind,
       j.state as journey_state, j.reason, j.route, j.entry_stop, j.exit_stop, j.entry_at, j.exit_at,
       j.filled_by, j.filled_stops, j.excuse, j.late, j.priced_at, j.service_day, j.ended_at,
       j.fare_minor, j.fare_currency, j.fare_lines, j.tariff_version,
       q.customer_rate, q.effective_at as rate_effective_at,
       coalesce(m.charge_id, f.id) as charge_id, coalesce(m.state, f.state) as charge_state,
       case when m.charge_id is not null or f.id is not null
            then coalesce(j.charge_minor, j.fare_minor) end as charge_minor,
       case when m.charge_id is not null or f.id is not null
            then coalesce(j.charge_currency, j.fare_currency) end as charge_currency,
       case when j.ended_at is not null then 0 else j.charge_minor end as net_charge_minor,
       m.captured_at, a.wallet_quote, r.state as refund_state, r.amount_minor as refund_minor,
       o.amount_minor as owed_to_rider_minor, coalesce(m.awaits or r.awaited, false) as awaits_refund,
       p.fare_minor as corrected_from_minor, p.charge_minor as corrected_from_charge_minor,
       p.ended_at as corrected_at, b.amount_minor as corrected_from_owed_minor,
       case p.ended_why
           when 'other_taps' then 'late_tap'
           when 'other_end' then case coalesce(j.filled_by, p.filled_by)
               when 'rider' then 'statement' when 'operator' then 'statement'
               when 'open_gates' then 'station_mode' else 'habit' end
           when 'other_fare' then case
               when p.tariff_version <> j.tariff_version then 'tariff'
               when p.excuse is distinct from j.excuse then 'station_mode'
               else 'month_repriced' end
           when 'given_back' then p.ended_why
           else case when p.ended_why is not null then 'refused_tap' end end as corrected_why,
       case when j.ended_at is not null then j.ended_why
            when j.excuse = 'given_back' then g.reason end as given_back
from journey j
left join quote q on q.id = j.quote_id
left join lateral (
    select array_agg(c.id) as ids, max(c.captured_at) as captured_at,
           (array_agg(c.id order by x.amount_minor desc, c.id))[1] as charge_id,
           (array_agg(c.state order by array_position(
               array['ARREARS', 'HELD', 'IN_FLIGHT', 'DUE', 'CAPTURED'], c.state)))[1] as state,
           bool_or(c.awaits_refund is not null) as awaits
    from charge_part x
    join charge c on c.id = x.charge_id
    where x.journey_id = j.id
) m on true
left join lateral (
    select (array_agg(c.id order by c.created_at desc, c.id))[1] as id,
           (array_agg(c.state order by c.created_at desc, c.id))[1] as state, array_agg(c.id) as ids
    from with_those_before(j.id) k(id)
    join charge c on c.journey_id = k.id
) f on true
left join charge_attempt a on a.charge_id = m.charge_id and a.state = 'CAPTURED'
left join lateral (
    select (array_agg(x.state order by x.created_at desc, x.request_id desc))[1] as state,
           coalesce(sum(x.amount_minor) filter (where x.state <> 'REFUSED'), max(x.amount_minor))
               as amount_minor,
           bool_or(x.awaited_since is not null and x.state in ('PREPARED', 'UNKNOWN')) as awaited
    from refund x
    where x.charge_id = any (m.ids || f.ids)
) r on true
left join lateral (
    select sum(x.amount_minor)::bigint as amount_minor from owed_to_rider x
    where r.state is not null and x.charge_id = any (m.ids || f.ids)
) o on true
left join lateral (
    select x.ended_why, x.ended_at, x.tariff_version, x.excuse, x.filled_by,
           sum(x.fare_minor) over () as fare_minor, sum(x.charge_minor) over () as charge_minor
    from journey x
    where x.replaced_by = j.id
    order by (x.key = j.key) desc, x.id
    limit 1
) p on true
left join lateral (
    select sum(l.amount_minor)::bigint as amount_minor
    from (
        select distinct on (x.charge_id) x.amount_minor, x.state
        from refund x
        where r.state is not null and x.charge_id = any (m.ids || f.ids) and x.created_at < p.ended_at
        order by x.charge_id, x.created_at desc, x.request_id desc
    ) l
    where l.state = 'REFUSED'
) b on true
left join lateral (
    select x.reason from refund_request x
    join with_those_before(j.id) k(id) on k.id = x.journey_id
    order by x.requested_at, x.id
    limit 1
) g on true
where j.ended_at is null or (j.replaced_by is null and not exists (
    select from journey k where k.key = j.key and k.revision > j.revision));

-- Journeys of which nobody but perhaps the rider says where the missing end was, with the instant of
-- the end that is known.
create view half_journey as
select j.id, j.issuer, j.rider_id, j.network, j.service_day, j.entry_at is not null as entered,
       coalesce(j.entry_at, j.exit_at) as at, t.longest_stay
from journey j
cross join lateral (
    select terms.longest_stay from journey_terms terms
    where terms.network = j.network and terms.valid_from <= j.service_day
    order by terms.valid_from desc
    limit 1
) t
where j.reason in ('missing_exit', 'missing_entry') and j.ended_at is null and j.excuse is null
  and not j.late and (j.filled_by is null or j.filled_by not in ('open_gates', 'operator'));

-- "In with wallet A, out with wallet B": a missing exit and a missing entry of two riders on one network
-- and service day, the exit after the entry within the longest stay, where each is the only one that the
-- other could belong to. Each pair is here twice, from either side. Nobody knows that it was one person.
create view crossed_accounts as
select h.id as journey_id, h.issuer, h.rider_id, h.network, h.service_day, o.id as other_journey_id
from half_journey h
cross join lateral (
    select min(c.id) as id, min(c.issuer) as issuer, min(c.rider_id) as rider_id, min(c.at) as at
    from (
        select c.id, c.issuer, c.rider_id, c.at
        from half_journey c
        where c.network = h.network and c.service_day = h.service_day and c.entered <> h.entered
          and (c.issuer, c.rider_id) <> (h.issuer, h.rider_id) and c.at <> h.at
          and c.at between case when h.entered then h.at else h.at - h.longest_stay end
              and case when h.entered then h.at + h.longest_stay else h.at end
        limit 2
    ) c
    having count(*) = 1
) o
where not exists (
      select from half_journey c
      where c.network = h.network and c.service_day = h.service_day and c.entered = h.entered
        and c.id <> h.id and (c.issuer, c.rider_id) <> (o.issuer, o.rider_id) and c.at <> o.at
        and c.at between case when h.entered then o.at - h.longest_stay else o.at end
            and case when h.entered then o.at else o.at + h.longest_stay end);

-- Balances per account: debits and credits ever posted.
create view account_balance as
select account, currency, sum(debit_minor) as debit_minor, sum(credit_minor) as credit_minor
from (select debit as account, currency, amount_minor as debit_minor, 0::bigint as credit_minor from posting
      union all
      select credit, currency, 0, amount_minor from posting) p
group by account, currency;

-- ---------------------------------------------------------------------------------------------
-- 9. Least privilege: services never connect as owner
-- ---------------------------------------------------------------------------------------------

revoke all on schema public from public;
revoke all on all functions in schema public from public;
grant usage on schema public to
    transitpay_gateway, transitpay_settlement, transitpay_finance_read, transitpay_auditor;
grant execute on function ensure_partitions(date, date) to transitpay_gateway, transitpay_settlement;
grant execute on function seen_meanwhile() to transitpay_gateway;
grant execute on function with_those_before(text) to transitpay_gateway, transitpay_settlement;

grant select on schema_fingerprint to
    transitpay_gateway, transitpay_settlement, transitpay_finance_read, transitpay_auditor;

-- gateway: reference data, codes, taps, inboxes; reads what settlement shows
grant select, insert, update on
    participant, wallet_agreement, partner_endpoint, partner_key, actor, api_token, reader,
    reader_status, list_version, issuer_key, rider, enrolment, deny_entry, tap, presence, approval
    to transitpay_gateway;
grant select, insert, delete on published_list to transitpay_gateway;
grant select, insert on
    issuer_number, authorisation, code_use, tap_inbox, tap_quarantine, clone_alarm, notification, refund_request,
    deny_request, deny_request_done, issuer_key_request, station_mode, audit_log, list_issue,
    journey_statement, suspension_end, tariff_version
    to transitpay_gateway;
grant select on
    stop_fare, ride_record, net_position, statement_file, account_balance, closed_window, charge,
    night_step, recon_run, recon_break, journey, journey_tap, closing, tap_set_aside, rate,
    refund_request_done, travel_minimum, suspension, stop_name, journey_terms,
    half_journey, crossed_accounts, owed_to_rider, doubtful_refund, wallet_claim
    to transitpay_gateway;

-- settlement: journeys, charges, journal, the night; reads what the gateway wrote
grant select on
    participant, wallet_agreement, partner_endpoint, partner_key, actor, reader, reader_status,
    rider, authorisation, tap, tap_quarantine, clone_alarm, deny_entry, notification,
    refund_request, ride_record, owed_to_rider, doubtful_refund, wallet_claim, account_balance, station_mode, journey_statement,
    suspension_end to transitpay_settlement;
grant select, insert, update on stop_fare, list_version to transitpay_settlement;
grant select, insert, delete on stop_name, journey_terms to transitpay_settlement;
grant select, insert on tariff_version to transitpay_settlement;
grant delete on stop_fare to transitpay_settlement;
grant select, insert on
    rate_observation, rate, quote, journey, journey_tap, tap_set_aside, charge_evidence,
    notification_done, refund_request_done, account, entry, posting, closed_window, window_item,
    closing, closed_entry,
    closing_balance, net_position, deny_request, audit_log to transitpay_settlement;
grant select, insert, update on
    charge, charge_attempt, refund, wallet_file, recon_run, recon_break, night_step,
    statement_file, approval, suspension, suspension_terms to transitpay_settlement;
grant select, insert, delete on tap_inbox, open_item to transitpay_settlement;
grant update (quote_id, charge_minor, charge_currency, ended_at, ended_why, replaced_by)
    on journey to transitpay_settlement;
grant select, insert, delete on charge_part to transitpay_settlement;
grant delete on journey_tap, tap_set_aside to transitpay_settlement;

-- finance and auditors read; neither sees a token or an account reference
grant select on
    participant, wallet_agreement, rate, quote, journey, charge, charge_part, charge_attempt, refund, account,
    entry, posting, open_item, closed_window, window_item, closing, closed_entry, closing_balance,
    net_position, statement_file, wallet_file, recon_run, recon_break, night_step, approval,
    account_balance, tariff_version, owed_to_rider, doubtful_refund, wallet_claim to transitpay_finance_read, transitpay_auditor;
grant select on audit_log, tap_set_aside, clone_alarm, charge_evidence, journey_tap, deny_request,
    deny_request_done, deny_entry, issuer_number, suspension to transitpay_auditor;

-- readers' records: the gateway writes them, a later use of a code gives way to an earlier one
grant select, insert, update on reader_key, reader_chain, reader_alarm, tap_record to transitpay_gateway;
grant select, insert on reader_batch, reader_event to transitpay_gateway;
grant update on code_use to transitpay_gateway;
grant select on tap_record, reader_batch, reader_alarm to transitpay_settlement;
grant select on tap_record, reader_key, reader_batch, reader_event, reader_alarm to transitpay_auditor;

-- Hong Kong 0 - Shenzhen 1 is a walk over the bridge at Lok Ma Chau, past both controls; the others
-- are a little less than the fastest train or bus. Guangzhou 2 and Foshan 4 share a metro line.
insert into travel_minimum (one, other, valid_from, minutes)
values (0, 1, '2026-01-01', 3), (0, 2, '2026-01-01', 40), (0, 3, '2026-01-01', 35),
    (0, 4, '2026-01-01', 45), (1, 2, '2026-01-01', 20), (1, 3, '2026-01-01', 15),
    (1, 4, '2026-01-01', 25), (2, 3, '2026-01-01', 15), (3, 4, '2026-01-01', 15);

-- the house itself and the lists exist from the start
insert into participant (id, kind, name, currency) values ('house', 'house', 'The house', 'HKD');
insert into list_version (list, version, changed_at)
select list, 1, timestamptz '2026-01-01 00:00:00+00'
from unnest(array['trust', 'deny', 'config', 'modes', 'fares', 'tariffs']) as list;
