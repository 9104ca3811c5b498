"""Questions on journeys and riders' money that whole books answer with no row.

They hold between any two transactions: what stands is what is owed, charges pay for nothing else,
and what ended is taken back whole.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """``text`` gives one text column, a row for each thing that is wrong; ``says`` names it.

    ``args`` are what it is asked with: lists that the rules themselves have.
    """

    says: str
    text: str
    args: tuple[list[str], ...] = ()


MONEY_QUESTIONS = (
    Question(
        "a charge whose parts are not what it holds or asks for",
        # What a wallet refused to give back may be idle in its charge; nothing else may.
        """
        select c.id from charge c
        left join lateral (
            select coalesce(sum(p.amount_minor), 0) as minor from charge_part p
            where p.charge_id = c.id
        ) parts on true
        left join lateral (
            select coalesce(sum(r.amount_minor) filter (where r.state <> 'REFUSED'), 0) as gone,
                coalesce(sum(r.amount_minor) filter (where r.state = 'REFUSED'), 0) as refused
            from refund r
            join charge_attempt a on a.request_id = r.attempt_request_id and a.state = 'CAPTURED'
            where r.charge_id = c.id
        ) back on true
        where case when c.state in ('WITHDRAWN', 'WRITTEN_OFF') then parts.minor <> 0
            else c.amount_minor - back.gone - parts.minor not between 0 and back.refused end
        order by c.id limit 1000
        """,
    ),
    Question(
        "a debt that awaits a refund which has ended, or more than it",
        # Once the wallet has said what became of it, the debt is asked for or paid by its money.
        """
        select w.id from charge w join refund r on r.request_id = w.awaits_refund
        where r.state not in ('PREPARED', 'UNKNOWN') or w.amount_minor > r.amount_minor
            or w.currency <> r.currency
        order by w.id limit 1000
        """,
    ),
    Question(
        "a refund of a payment that was cancelled whole and is not claimed from its wallet",
        """
        select r.request_id from refund r
        join charge_attempt a on a.request_id = r.attempt_request_id and a.state = 'CANCELLED'
        where r.state = 'REFUNDED'
            and not exists (select from entry e where e.key = 'given_twice:' || r.request_id)
        order by 1 limit 1000
        """,
    ),
    Question(
        "a journey that is not paid for by the parts of charges",
        # A held fare is asked for in its own currency, once there is a rate.
        """
        select j.id from journey j
        left join lateral (
            select coalesce(sum(p.amount_minor), 0) as minor,
                count(*) filter (where c.currency <> coalesce(j.charge_currency, j.fare_currency))
                    as strange
            from charge_part p join charge c on c.id = p.charge_id
            where p.journey_id = j.id
        ) paid on true
        where paid.strange > 0 or paid.minor <> case when j.ended_at is not null then 0
            else coalesce(j.charge_minor, j.fare_minor) end
        order by j.id limit 1000
        """,
    ),
    Question(
        "a rider whose money is not what the standing journeys cost",
        # Collected less given back, and still due, is owed; what is idle was refused by the wallet.
        """
        with owed as (
            select issuer, rider_id, charge_currency as currency, sum(charge_minor) as minor
            from journey where ended_at is null and charge_minor is not null group by 1, 2, 3
        ), asked as (
            select issuer, rider_id, currency, sum(amount_minor) as minor
            from charge where state in ('CAPTURED', 'DUE', 'IN_FLIGHT', 'ARREARS') group by 1, 2, 3
        ), back as (
            select c.issuer, c.rider_id, c.currency,
                sum(r.amount_minor) filter (where r.state <> 'REFUSED') as gone,
                sum(r.amount_minor) filter (where r.state = 'REFUSED') as refused
            from refund r join charge c on c.id = r.charge_id
            join charge_attempt a on a.request_id = r.attempt_request_id and a.state = 'CAPTURED'
            group by 1, 2, 3
        )
        select issuer || ' ' || rider_id || ' ' || currency
        from owed full join asked using (issuer, rider_id, currency)
        full join back using (issuer, rider_id, currency)
        where coalesce(asked.minor, 0) - coalesce(back.gone, 0) - coalesce(owed.minor, 0)
            not between 0 and coalesce(back.refused, 0)
        order by 1 limit 1000
        """,
    ),
    Question(
        "a journey whose bookings are not its fare, or that ended and is not taken back whole",
        # Of one that ended every account is at 0 again, of one that stands the fare is earned.
        """
        with legs as (
            select e.journey_id, p.debit as account, p.currency, p.amount_minor as minor
            from entry e join posting p on p.entry_id = e.id where e.journey_id is not null
            union all
            select e.journey_id, p.credit, p.currency, -p.amount_minor
            from entry e join posting p on p.entry_id = e.id where e.journey_id is not null
        ), sums as (
            select journey_id, account, currency, sum(minor) as minor from legs group by 1, 2, 3
        )
        select j.id from journey j
        left join sums s on s.journey_id = j.id and s.currency = j.fare_currency
            and s.account = 'operator_payable:' || j.operator
        where coalesce(s.minor, 0) <> case when j.ended_at is null then -j.fare_minor else 0 end
        union
        select j.id from journey j join sums s on s.journey_id = j.id
        where j.ended_at is not null and s.minor <> 0
        order by 1 limit 1000
        """,
    ),
    Question(
        "a journey that ended and is not taken back once, or one that stands and is",
        """
        select j.id from journey j
        where (select count(*) from entry e where e.journey_id = j.id and e.kind = 'corrected')
            <> case when j.ended_at is not null and j.fare_minor > 0 then 1 else 0 end
        order by j.id limit 1000
        """,
    ),
)
