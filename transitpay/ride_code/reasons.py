"""Why a code is refused or flagged: one enumeration in one total order, and what follows from it.

The order of ``Reason`` is the order in which the rules are checked; at an entry the first one
that applies is the answer. ``RULES`` says of each reason who can know it, what the rider can do,
and what an exit does with it.

Source of the exit rule: a passenger who is inside must get out, so an exit refuses only what is
no proof of anybody's ride; what is owed is settled later.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Every reason, in order of precedence."""

    UNREADABLE = "unreadable"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_KEY = "unknown_key"
    TEST_KEY = "test_key"
    KEY_COMPROMISED = "key_compromised"
    KEY_NOT_YET_VALID = "key_not_yet_valid"
    KEY_EXPIRED = "key_expired"
    AUTHORISATION_NOT_YET_VALID = "authorisation_not_yet_valid"
    AUTHORISATION_EXPIRED = "authorisation_expired"
    CODE_STALE = "code_stale"
    CODE_FROM_FUTURE = "code_from_future"
    SERVICE_EXCLUDED = "service_excluded"
    WRONG_DESTINATION = "wrong_destination"
    DESTINATION_NOT_ALLOWED = "destination_not_allowed"
    MODE_NOT_ALLOWED = "mode_not_allowed"
    COMPANION_NOT_ALLOWED = "companion_not_allowed"
    BAD_ISSUER_SIGNATURE = "bad_issuer_signature"
    BAD_DEVICE_SIGNATURE = "bad_device_signature"
    DENIED = "denied"
    QUOTA_EXCEEDED = "quota_exceeded"
    CEILING_TOO_LOW = "ceiling_too_low"
    LIST_STALE = "list_stale"
    STORE_FULL = "store_full"
    ALREADY_ANSWERED = "already_answered"
    REPLAY = "replay"
    PASSBACK = "passback"
    IMPOSSIBLE_TRAVEL = "impossible_travel"
    MISSING_ENTRY = "missing_entry"
    CLOCK_FAULT = "clock_fault"


class Kind(StrEnum):
    """``code``: every tier with the same lists agrees. ``state``: needs a memory of other taps."""

    CODE = "code"
    STATE = "state"


class Tier(StrEnum):
    """Who can know a reason."""

    READER = "reader"
    GATEWAY = "gateway"


class Action(StrEnum):
    """What the rider can do about it."""

    REFRESH = "refresh"
    GO_ONLINE = "go_online"
    SETTLE_DEBT = "settle_debt"
    SEE_STAFF = "see_staff"


class ExitPolicy(StrEnum):
    """What an exit does: ``open_within_overstay`` opens and flags until the overstay limit."""

    REFUSE = "refuse"
    OPEN_AND_FLAG = "open_and_flag"
    OPEN_WITHIN_OVERSTAY = "open_within_overstay"


class Language(StrEnum):
    """The languages of every text that a rider sees (BCP 47)."""

    ZH_HANT = "zh-Hant"
    ZH_HANS = "zh-Hans"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from one reason."""

    kind: Kind
    tiers: frozenset[Tier]
    action: Action
    at_exit: ExitPolicy
    texts: tuple[str, str, str]

    def text(self, language: Language) -> str:
        """What the rider reads; no name, balance or rate is ever part of it."""
        return self.texts[list(Language).index(language)]


_BOTH = frozenset(Tier)
_C, _S = Kind.CODE, Kind.STATE
_REFRESH, _ONLINE = Action.REFRESH, Action.GO_ONLINE
_DEBT, _STAFF = Action.SETTLE_DEBT, Action.SEE_STAFF
_NO, _FLAG = ExitPolicy.REFUSE, ExitPolicy.OPEN_AND_FLAG
_OVERSTAY = ExitPolicy.OPEN_WITHIN_OVERSTAY

#: reason -> rule, complete, in the order of ``Reason``; texts are zh-Hant, zh-Hans, en.
RULES: dict[Reason, Rule] = {
    Reason.UNREADABLE: Rule(_C, _BOTH, _REFRESH, _NO, (
        "無法讀取乘車碼，請重新整理", "无法读取乘车码，请刷新", "Code not readable. Refresh it.")),
    Reason.UNKNOWN_VERSION: Rule(_C, _BOTH, _ONLINE, _NO, (
        "乘車碼版本不支援，請更新應用程式", "乘车码版本不支持，请更新应用",
        "Code version not supported. Update your app.")),
    Reason.UNKNOWN_KEY: Rule(_C, _BOTH, _STAFF, _NO, (
        "此乘車碼不適用，請聯絡職員", "此乘车码不适用，请联系工作人员",
        "This code is not accepted here. See staff.")),
    Reason.TEST_KEY: Rule(_C, _BOTH, _STAFF, _NO, (
        "測試碼不可乘車，請聯絡職員", "测试码不可乘车，请联系工作人员",
        "This is a test code. See staff.")),
    Reason.KEY_COMPROMISED: Rule(_C, _BOTH, _ONLINE, _OVERSTAY, (
        "乘車碼已停用，請連線更新", "乘车码已停用，请联网更新",
        "Code withdrawn. Go online to renew it.")),
    Reason.KEY_NOT_YET_VALID: Rule(_C, _BOTH, _STAFF, _NO, (
        "乘車碼尚未生效，請聯絡職員", "乘车码尚未生效，请联系工作人员",
        "Code not valid yet. See staff.")),
    Reason.KEY_EXPIRED: Rule(_C, _BOTH, _ONLINE, _OVERSTAY, (
        "乘車碼已過期，請連線更新", "乘车码已过期，请联网更新",
        "Code expired. Go online to renew it.")),
    Reason.AUTHORISATION_NOT_YET_VALID: Rule(_C, _BOTH, _ONLINE, _NO, (
        "乘車授權尚未生效，請連線更新", "乘车授权尚未生效，请联网更新",
        "Permission not valid yet. Go online.")),
    Reason.AUTHORISATION_EXPIRED: Rule(_C, _BOTH, _ONLINE, _OVERSTAY, (
        "乘車授權已過期，請連線更新", "乘车授权已过期，请联网更新",
        "Permission expired. Go online to renew it.")),
    Reason.CODE_STALE: Rule(_C, _BOTH, _REFRESH, _NO, (
        "乘車碼已失效，請重新整理", "乘车码已失效，请刷新", "Code too old. Refresh it.")),
    Reason.CODE_FROM_FUTURE: Rule(_C, _BOTH, _ONLINE, _NO, (
        "手機時間不正確，請連線校正", "手机时间不正确，请联网校准",
        "Phone time is wrong. Go online.")),
    Reason.SERVICE_EXCLUDED: Rule(_C, _BOTH, _STAFF, _FLAG, (
        "此路線不接受乘車碼，請購票", "此线路不接受乘车码，请购票",
        "Ride codes are not accepted on this service.")),
    Reason.WRONG_DESTINATION: Rule(_C, _BOTH, _REFRESH, _FLAG, (
        "乘車碼屬另一城市，請選擇本城市", "乘车码属于另一城市，请选择本城市",
        "Code is for another city. Select this one.")),
    Reason.DESTINATION_NOT_ALLOWED: Rule(_C, _BOTH, _ONLINE, _FLAG, (
        "尚未開通本城市，請在應用程式開通", "尚未开通本城市，请在应用中开通",
        "This city is not enabled. Enable it in your app.")),
    Reason.MODE_NOT_ALLOWED: Rule(_C, _BOTH, _STAFF, _FLAG, (
        "乘車碼不適用於此交通工具", "乘车码不适用于此交通工具",
        "Code not valid for this kind of transport.")),
    Reason.COMPANION_NOT_ALLOWED: Rule(_C, _BOTH, _STAFF, _FLAG, (
        "同行人數超出上限", "同行人数超出上限", "Too many companions.")),
    Reason.BAD_ISSUER_SIGNATURE: Rule(_C, _BOTH, _STAFF, _NO, (
        "乘車碼無效，請聯絡職員", "乘车码无效，请联系工作人员", "Code not valid. See staff.")),
    Reason.BAD_DEVICE_SIGNATURE: Rule(_C, _BOTH, _STAFF, _NO, (
        "乘車碼無效，請聯絡職員", "乘车码无效，请联系工作人员", "Code not valid. See staff.")),
    Reason.DENIED: Rule(_C, _BOTH, _DEBT, _FLAG, (
        "乘車服務已暫停，請在錢包處理", "乘车服务已暂停，请在钱包处理",
        "Riding is suspended. Settle it in your wallet.")),
    Reason.QUOTA_EXCEEDED: Rule(_C, _BOTH, _ONLINE, _FLAG, (
        "離線次數已用完，請連線更新", "离线次数已用完，请联网更新",
        "Offline codes used up. Go online.")),
    Reason.CEILING_TOO_LOW: Rule(_C, _BOTH, _ONLINE, _FLAG, (
        "車費可能超出上限，請查看錢包", "车费可能超出上限，请查看钱包",
        "Fare may exceed your limit. Check your wallet.")),
    Reason.LIST_STALE: Rule(_S, frozenset({Tier.READER}), _STAFF, _FLAG, (
        "閘機資料過期，請聯絡職員", "闸机数据过期，请联系工作人员",
        "Gate data out of date. See staff.")),
    Reason.STORE_FULL: Rule(_S, frozenset({Tier.READER}), _STAFF, _FLAG, (
        "閘機暫停服務，請用另一閘機", "闸机暂停服务，请用另一闸机",
        "Gate out of service. Use another one.")),
    Reason.ALREADY_ANSWERED: Rule(_S, _BOTH, _REFRESH, _NO, (
        "已有結果，請看上次顯示", "已有结果，请看上次显示",
        "Already answered. See the first answer.")),
    Reason.REPLAY: Rule(_S, _BOTH, _REFRESH, _NO, (
        "乘車碼已使用，請重新整理", "乘车码已使用，请刷新", "Code already used. Refresh it.")),
    Reason.PASSBACK: Rule(_S, _BOTH, _STAFF, _NO, (
        "已有進站記錄，請聯絡職員", "已有进站记录，请联系工作人员",
        "Already entered. See staff.")),
    Reason.IMPOSSIBLE_TRAVEL: Rule(_S, frozenset({Tier.GATEWAY}), _STAFF, _FLAG, (
        "短時間內於兩地使用，請聯絡職員", "短时间内在两地使用，请联系工作人员",
        "Used in two places at once. See staff.")),
    Reason.MISSING_ENTRY: Rule(_S, frozenset({Tier.GATEWAY}), _STAFF, _FLAG, (
        "沒有進站記錄，請補登行程", "没有进站记录，请补登行程",
        "No entry found. Complete your trip in your app.")),
    Reason.CLOCK_FAULT: Rule(_S, _BOTH, _STAFF, _FLAG, (
        "閘機時間異常，請聯絡職員", "闸机时间异常，请联系工作人员",
        "Gate clock fault. See staff.")),
}  # fmt: skip

assert list(RULES) == list(Reason), "one rule per reason, in their order"

#: Reasons that came after the numbers were given out; they stand last, wherever their order is.
_LATER = (Reason.IMPOSSIBLE_TRAVEL, Reason.LIST_STALE, Reason.STORE_FULL)
#: Reason -> its number in a reader's records, 1-31; a number is never given to another reason.
NUMBERS: dict[Reason, int] = {
    reason: number
    for number, reason in enumerate([*(r for r in Reason if r not in _LATER), *_LATER], start=1)
}
