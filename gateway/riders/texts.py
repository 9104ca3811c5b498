"""Sentences about rides and denials in the three languages; support reads the same as the rider."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.taps.tap_models import Texts
from transitpay.clock import LOCAL_ZONE
from transitpay.fares.words import NAMES
from transitpay.postgres.trust.bars import Bar, BarKind

#: Why a ride was corrected -> zh-Hant, zh-Hans, en.
_CORRECTIONS: Mapping[str, tuple[str, str, str]] = {
    "late_tap": (
        "有拍卡記錄較遲送達，行程已重新計算",
        "有扫码记录较迟送达，行程已重新计算",
        "A scan arrived late; the ride was made anew.",
    ),
    "refused_tap": (
        "其中一次掃碼其後確認無效，行程已重新計算",
        "其中一次扫码其后确认无效，行程已重新计算",
        "A scan of it turned out not to count; the ride was made anew.",
    ),
    "statement": (
        "已補登車站，車費已重新計算",
        "已补登车站，车费已重新计算",
        "The missing station was named; the fare was worked out again.",
    ),
    "habit": (
        "已按慣常行程補上車站",
        "已按惯常行程补上车站",
        "The missing station was taken from your usual ride.",
    ),
    "station_mode": (
        "車站曾開放閘門或豁免車費，車費已重新計算",
        "车站曾开放闸门或豁免车费，车费已重新计算",
        "Gates stood open or a fare was waived; the fare was worked out again.",
    ),
    "tariff": (
        "票價已更新，車費已重新計算",
        "票价已更新，车费已重新计算",
        "The fares of that day were corrected.",
    ),
    "month_repriced": (
        "當月或轉乘優惠已重新計算",
        "当月或换乘优惠已重新计算",
        "Discounts of the month or of a transfer were worked out again.",
    ),
    "given_back": ("車費已退還", "车费已退还", "The fare was given back."),
}
#: The wallet refused to give back what was paid too much.
_OWED = (
    "錢包拒絕退款，款項仍欠乘客，客戶服務會跟進",
    "钱包拒绝退款，款项仍欠乘客，客户服务会跟进",
    "The wallet refused the refund; the amount is still owed to you. Customer service helps.",
)
#: The wallet has not said whether it gave money back, and a correction waits for that.
_AWAITS = (
    "行程有待更正：錢包正在確認一筆退款，確認後才會收取或退回差額",
    "行程有待更正：钱包正在确认一笔退款，确认后才会收取或退回差额",
    "Correction pending: the wallet is confirming a refund. The difference is settled after that.",
)
_GIVEN_BACK_REFUSED = (
    "車費已取消，但錢包拒絕退款，款項仍未退還",
    "车费已取消，但钱包拒绝退款，款项仍未退还",
    "The fare was cancelled, but the wallet refused the refund: it is still owed to you.",
)
_OTHER_CORRECTION = ("車費已重新計算", "车费已重新计算", "The fare was worked out again.")


def texts(zh_hant: str, zh_hans: str, en: str) -> Texts:
    """The three as they are sent."""
    return Texts.model_validate({"zh-Hant": zh_hant, "zh-Hans": zh_hans, "en": en})


def owed_text() -> Texts:
    """What a rider reads of money that the wallet refused to give back."""
    return texts(*_OWED)


def awaits_text() -> Texts:
    """What a rider reads while a correction, or its money, waits for the end of a refund."""
    return texts(*_AWAITS)


def correction_text(why: str, *, refused: bool = False) -> Texts:
    """What a rider reads of a correction; ``refused``: the wallet has not given the money back."""
    if why == "given_back" and refused:
        return texts(*_GIVEN_BACK_REFUSED)
    return texts(*_CORRECTIONS.get(why, _OTHER_CORRECTION))


def bar_text(bar: Bar) -> Texts:
    """Why a rider's codes are refused, and what to do about it."""
    hant, hans, en = NAMES.get(bar.network or "", (bar.network or "",) * 3)
    match bar.kind:
        case BarKind.ARREARS:
            owed = ", ".join(f"{it}" for it in bar.owed)
            return texts(
                f"有車費未能收取（{owed}），請在錢包付款",
                f"有车费未能收取（{owed}），请在钱包付款",
                f"A fare could not be collected ({owed}). Pay it in your wallet.",
            )
        case BarKind.MISSING_EXITS:
            until = _local(bar.until)
            return texts(
                f"{hant}在 {bar.days} 天內有 {bar.counted} 次沒有出站記錄，乘車碼暫停至 {until}。"
                "請補登出站車站",
                f"{hans}在 {bar.days} 天内有 {bar.counted} 次没有出站记录，乘车码暂停至 {until}。"
                "请补登出站车站",
                f"{bar.counted} exits are missing within {bar.days} days on {en}; codes are "
                f"suspended until {until}. Name the stations where you left.",
            )
        case BarKind.EVASION:
            return texts(
                f"{hant}在 {bar.days} 天內有 {bar.counted} 次沒有出站記錄，請聯絡客戶服務",
                f"{hans}在 {bar.days} 天内有 {bar.counted} 次没有出站记录，请联系客户服务",
                f"{bar.counted} exits are missing within {bar.days} days on {en}; "
                "customer service must look at it.",
            )
        case BarKind.REVOKED:
            return texts(
                "這部手機的乘車碼已撤銷，請在新手機重新申請",
                "这部手机的乘车码已撤销，请在新手机重新申请",
                "Codes of this phone were withdrawn. Get new ones on your present phone.",
            )


def _local(at: datetime | None) -> str:
    assert at is not None, "only an evasion has no end of its own"
    return at.astimezone(LOCAL_ZONE).strftime("%Y-%m-%d %H:%M")
