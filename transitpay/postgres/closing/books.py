"""Questions that whole books answer with no row: what must never be false, asked as statements."""

from __future__ import annotations

import asyncpg

from transitpay.postgres.closing.denial_books import DENIAL_QUESTIONS
from transitpay.postgres.closing.money_books import MONEY_QUESTIONS, Question

QUESTIONS = (
    *MONEY_QUESTIONS,
    *DENIAL_QUESTIONS,
    Question(
        "an entry without postings",
        """
        select e.key from entry e
        where not exists (select 1 from posting p where p.entry_id = e.id)
        order by e.id limit 1000
        """,
    ),
    Question(
        "an entry whose postings are not numbered from 1",
        """
        select e.key from entry e join posting p on p.entry_id = e.id
        group by e.id, e.key having min(p.n) <> 1 or max(p.n) <> count(*)
        order by e.id limit 1000
        """,
    ),
    Question(
        "a closing balance that its entries do not give",
        """
        with legs as (
            select c.closing, p.debit as account, p.currency, p.amount_minor as debit,
                0::bigint as credit
            from closed_entry c join posting p on p.entry_id = c.entry_id
            union all
            select c.closing, p.credit, p.currency, 0, p.amount_minor
            from closed_entry c join posting p on p.entry_id = c.entry_id
            union all
            select b.closing + 1, b.account, b.currency, b.debit_minor, b.credit_minor
            from closing_balance b where b.closing < (select max(number) from closing)
        ), sums as (
            select closing, account, currency, sum(debit) as debit, sum(credit) as credit
            from legs group by closing, account, currency
        )
        select coalesce(b.closing, s.closing) || ' ' || coalesce(b.account, s.account) || ' '
            || coalesce(b.currency, s.currency)
        from closing_balance b
        full join sums s on s.closing = b.closing and s.account = b.account
            and s.currency = b.currency
        where b.debit_minor is distinct from s.debit or b.credit_minor is distinct from s.credit
        order by 1 limit 1000
        """,
    ),
    Question(
        "net positions of a day that do not sum to zero",
        """
        select day || ' ' || currency || ' ' || sum(amount_minor) from net_position
        group by day, currency having sum(amount_minor) <> 0 order by day, currency limit 1000
        """,
    ),
    Question(
        "a closed operator window whose items are not its net position and fee",
        """
        with items as (
            select w.day, w.participant, i.currency, sum(i.amount_minor) as minor
            from closed_window w join window_item i on i.window_id = w.id
            where w.kind = 'operator' group by w.day, w.participant, i.currency
        ), said as (
            select n.day, n.participant, n.currency, (n.detail ->> 'fares')::bigint as minor
            from net_position n join participant p on p.id = n.participant
            where p.kind = 'operator'
        )
        select coalesce(i.day, s.day) || ' ' || coalesce(i.participant, s.participant)
        from items i full join said s on s.day = i.day and s.participant = i.participant
            and s.currency = i.currency
        where i.minor is distinct from s.minor order by 1 limit 1000
        """,
    ),
    Question(
        "an item that is open and in a closed window",
        """
        select o.kind || ' ' || o.item from open_item o
        join window_item i on i.kind = o.kind and i.item = o.item order by 1 limit 1000
        """,
    ),
    Question(
        "an operator's account that is not the sum of its open items",
        """
        with owed as (
            select substr(b.account, 18) as operator, b.currency, b.credit_minor - b.debit_minor
                as minor
            from account_balance b where b.account like 'operator\\_payable:%'
        ), open_sum as (
            select participant as operator, currency, sum(amount_minor) as minor
            from open_item where kind = 'operator' group by participant, currency
        )
        select coalesce(a.operator, o.operator) || ' ' || coalesce(a.currency, o.currency)
        from owed a full join open_sum o on o.operator = a.operator and o.currency = a.currency
        where coalesce(a.minor, 0) <> coalesce(o.minor, 0) order by 1 limit 1000
        """,
    ),
    Question(
        "a journey without taps",
        """
        select j.id from journey j
        where j.ended_at is null
            and not exists (select 1 from journey_tap t where t.journey_id = j.id)
        order by j.id limit 1000
        """,
    ),
    Question(
        "a journey that has ended and still has taps",
        """
        select distinct j.id from journey j join journey_tap t on t.journey_id = j.id
        where j.ended_at is not null order by j.id limit 1000
        """,
    ),
    Question(
        "a journey that stands beside another revision of its key",
        """
        select j.key from journey j where j.ended_at is null
        group by j.key having count(*) > 1 order by j.key limit 1000
        """,
    ),
    Question(
        "a journey whose bookings are not its fare while it stands, nothing once it has ended",
        """
        select j.id from journey j
        left join entry e on e.journey_id = j.id
            and e.kind in ('cleared', 'cleared_held', 'corrected')
        left join posting p on p.entry_id = e.id
        group by j.id
        having coalesce(sum(case when p.credit = 'operator_payable:' || j.operator
                then p.amount_minor when p.debit = 'operator_payable:' || j.operator
                then -p.amount_minor end), 0)
            <> case when j.ended_at is null then j.fare_minor else 0 end
        order by j.id limit 1000
        """,
    ),
    Question(
        "a tap in two journeys",
        """
        select t.tapped_day || ' ' || t.reader || ' ' || t.sequence from journey_tap t
        group by t.tapped_day, t.reader, t.sequence having count(*) > 1 order by 1 limit 1000
        """,
    ),
    Question(
        "a journey with a fare above zero that is not booked once",
        """
        select j.id from journey j
        where j.fare_minor > 0 and (select count(*) from entry e
            where e.journey_id = j.id and e.kind in ('cleared', 'cleared_held')) <> 1
        order by j.id limit 1000
        """,
    ),
    Question(
        "a captured attempt that is not booked once",
        """
        select t.request_id from charge_attempt t
        where t.state in ('CAPTURED', 'SURPLUS') and not exists (
            select 1 from entry e where e.key = 'captured:' || t.request_id)
        order by t.request_id limit 1000
        """,
    ),
)


async def answers(conn: asyncpg.Connection, question: Question) -> list[str]:
    """What is wrong by a question; empty = nothing."""
    return [str(row[0]) for row in await conn.fetch(question.text, *question.args)]


_COUNTS = """
select (select count(*) from entry) as entries, (select count(*) from posting) as postings,
    (select count(*) from closed_entry) as closed_entries
"""


async def counts(conn: asyncpg.Connection) -> dict[str, int]:
    """How many entries, postings and closed entries there are."""
    return dict(await conn.fetchrow(_COUNTS))
