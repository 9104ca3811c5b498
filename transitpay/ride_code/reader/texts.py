"""Signal, sound and texts of a decision: what the rider sees and hears.

The full texts are those of ``reasons``; the short form has one line of at most 16 cells for what
is the matter and one for what to do (a Chinese character takes 2 cells).
"""

from __future__ import annotations

from collections.abc import Mapping
from unicodedata import east_asian_width

from transitpay.money import Money
from transitpay.ride_code.reader.effects import Show, Signal, Sound, Text
from transitpay.ride_code.reasons import RULES, Action, Language, Reason
from transitpay.ride_code.records.record import Decision

CELLS = 16
Lines = tuple[str, str, str]

#: What is the matter, zh-Hant, zh-Hans, en.
SHORT: Mapping[Reason, Lines] = {
    Reason.UNREADABLE: ("無法讀取", "无法读取", "Not readable"),
    Reason.UNKNOWN_VERSION: ("版本不支援", "版本不支持", "Old app version"),
    Reason.UNKNOWN_KEY: ("此碼不適用", "此码不适用", "Not accepted"),
    Reason.TEST_KEY: ("測試碼", "测试码", "Test code"),
    Reason.KEY_COMPROMISED: ("乘車碼已停用", "乘车码已停用", "Code withdrawn"),
    Reason.KEY_NOT_YET_VALID: ("尚未生效", "尚未生效", "Not valid yet"),
    Reason.KEY_EXPIRED: ("乘車碼已過期", "乘车码已过期", "Code expired"),
    Reason.AUTHORISATION_NOT_YET_VALID: ("授權尚未生效", "授权尚未生效", "Not valid yet"),
    Reason.AUTHORISATION_EXPIRED: ("授權已過期", "授权已过期", "Expired"),
    Reason.CODE_STALE: ("乘車碼已失效", "乘车码已失效", "Code too old"),
    Reason.CODE_FROM_FUTURE: ("手機時間不正確", "手机时间不正确", "Phone time wrong"),
    Reason.SERVICE_EXCLUDED: ("此路線不接受", "此线路不接受", "No codes here"),
    Reason.WRONG_DESTINATION: ("屬另一城市", "属于另一城市", "Other city"),
    Reason.DESTINATION_NOT_ALLOWED: ("未開通本城市", "未开通本城市", "City not enabled"),
    Reason.MODE_NOT_ALLOWED: ("不適用於此車", "不适用于此车", "Wrong transport"),
    Reason.COMPANION_NOT_ALLOWED: ("同行人數超出", "同行人数超出", "Too many riders"),
    Reason.BAD_ISSUER_SIGNATURE: ("乘車碼無效", "乘车码无效", "Not valid"),
    Reason.BAD_DEVICE_SIGNATURE: ("乘車碼無效", "乘车码无效", "Not valid"),
    Reason.DENIED: ("服務已暫停", "服务已暂停", "Suspended"),
    Reason.QUOTA_EXCEEDED: ("離線次數用完", "离线次数用完", "Offline used up"),
    Reason.CEILING_TOO_LOW: ("車費超出上限", "车费超出上限", "Limit too low"),
    Reason.LIST_STALE: ("閘機資料過期", "闸机数据过期", "Gate data old"),
    Reason.STORE_FULL: ("閘機暫停服務", "闸机暂停服务", "Out of service"),
    Reason.ALREADY_ANSWERED: ("已有結果", "已有结果", "Already answered"),
    Reason.REPLAY: ("乘車碼已使用", "乘车码已使用", "Code used"),
    Reason.PASSBACK: ("已有進站記錄", "已有进站记录", "Already entered"),
    Reason.IMPOSSIBLE_TRAVEL: ("兩地同時使用", "两地同时使用", "Two places"),
    Reason.MISSING_ENTRY: ("沒有進站記錄", "没有进站记录", "No entry found"),
    Reason.CLOCK_FAULT: ("閘機時間異常", "闸机时间异常", "Gate clock fault"),
}
#: What to do.
ACTIONS: Mapping[Action, Lines] = {
    Action.REFRESH: ("請重新整理", "请刷新", "Refresh code"),
    Action.GO_ONLINE: ("請連線更新", "请联网更新", "Go online"),
    Action.SETTLE_DEBT: ("請在錢包處理", "请在钱包处理", "See your wallet"),
    Action.SEE_STAFF: ("請聯絡職員", "请联系工作人员", "See staff"),
}
WELCOME: Lines = ("請通過", "请通过", "Please pass.")
WELCOME_SHORT: Lines = ("請通過", "请通过", "Please pass")
_SOUND = {
    Action.REFRESH: Sound.TRY_AGAIN,
    Action.GO_ONLINE: Sound.STOP,
    Action.SETTLE_DEBT: Sound.STOP,
    Action.SEE_STAFF: Sound.STOP,
}
assert SHORT.keys() == RULES.keys() and ACTIONS.keys() == _SOUND.keys()


def show(
    sequence: int,
    decision: Decision,
    reason: Reason | None,
    flags: tuple[Reason, ...],
    languages: tuple[Language, ...],
    fare: Money | None = None,
) -> Show:
    """What a rider sees of a decision; a refusal never shows a fare."""
    if decision is Decision.ACCEPTED:
        first = flags[0] if flags else None
        signal, sound = (Signal.AMBER, Sound.READ) if flags else (Signal.GREEN, Sound.PASS)
        return Show(sequence, signal, sound, first, _texts(first, True, languages), fare)
    assert reason is not None, "a refusal has a reason"
    sound = _SOUND[RULES[reason].action]
    return Show(sequence, Signal.RED, sound, reason, _texts(reason, False, languages))


def cells(text: str) -> int:
    """How many cells of a display these characters take."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _texts(reason: Reason | None, opens: bool, languages: tuple[Language, ...]) -> tuple[Text, ...]:
    """The texts in the order asked for; of an open gate the second line says so."""
    found = []
    for language in languages:
        n = list(Language).index(language)
        if reason is None:
            found.append(Text(language, WELCOME[n], (WELCOME_SHORT[n], "")))
            continue
        second = WELCOME_SHORT[n] if opens else ACTIONS[RULES[reason].action][n]
        found.append(Text(language, RULES[reason].text(language), (SHORT[reason][n], second)))
    return tuple(found)
