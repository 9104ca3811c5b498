"""Why a line of a fare is there: every sentence that pricing can say, in three languages.

A line names its sentence and carries the values; nothing is put into words until it is stored or
shown. A code may have several sentences, a sentence has one code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transitpay.fares.names import Language
from transitpay.fares.words import LANGUAGES, Value, word


@dataclass(frozen=True, slots=True)
class Sentence:
    """The code of a line and its sentence: zh-Hant, zh-Hans, en, each with a place a value."""

    code: str
    zh_hant: str
    zh_hans: str
    en: str

    def text(self, language: Language, values: Sequence[Value] = ()) -> str:
        """The sentence with its values in words; without values it stands as it is."""
        text = (self.zh_hant, self.zh_hans, self.en)[LANGUAGES.index(language)]
        return text.format(*(word(it, language) for it in values)) if values else text


def as_told(code: str, text: str) -> Sentence:
    """A sentence that is known in one language alone, and shown so in each."""
    return Sentence(code, text, text, text)


# Between two stations.
FARE_OF_PAIR = Sentence("fare", "{}至{}，成人車費", "{}至{}，成人票价", "{} to {}, adult")
FREE_PAIR = Sentence(
    "free",
    "{}至{}：免費乘搭，公布車費為{}",
    "{}至{}：免费乘坐，公布票价为{}",
    "{} to {}: a free ride, published at {}",
)
WALK = Sentence(
    "walk",
    "{}至{}：步行轉乘通道，公布車費為{}",
    "{}至{}：步行换乘通道，公布票价为{}",
    "{} to {}: a walking link, published at {}",
)
CODE_DISCOUNT = Sentence(
    "code_discount",
    "{}乘車碼優惠：按車費的 {}% 收取",
    "{}乘车码优惠：按票价的 {}% 收取",
    "codes of {} pay {} %",
)
SAME_STATION = Sentence("same_station", "{}同站進出", "{}同站进出", "in and out at {}")
SAME_STATION_LOWEST = Sentence(
    "same_station",
    "{}同站進出：收取由該站出發的最低車費",
    "{}同站进出：收取该站出发的最低票价",
    "in and out at {}: the lowest fare from there",
)
SAME_STATION_WITHIN = Sentence(
    "same_station",
    "{}同站進出，停留不超過 {} 分鐘",
    "{}同站进出，停留不超过 {} 分钟",
    "in and out at {} within {} minutes",
)
SAME_STATION_AFTER = Sentence(
    "same_station",
    "{}同站進出，停留超過 {} 分鐘",
    "{}同站进出，停留超过 {} 分钟",
    "in and out at {} after more than {} minutes",
)
OVERSTAY_ADDED = Sentence(
    "overstay",
    "逾時：停留 {}，超過 {} 分鐘時限，加收附加費{}",
    "超时：停留 {}，超过 {} 分钟时限，加收附加费{}",
    "stay of {} is over {} minutes: a surcharge of {}",
)
OVERSTAY_RAISED = Sentence(
    "overstay",
    "逾時：停留 {}，超過 {} 分鐘時限，車費按{}收取",
    "超时：停留 {}，超过 {} 分钟时限，按{}收费",
    "stay of {} is over {} minutes: raised to {}",
)
DELAY = Sentence(
    "delay",
    "因營運商延誤而逾時，免收逾時費用",
    "因运营方延误而超时，免收超时费用",
    "the operator caused the long stay",
)
# The business car.
BUSINESS_CAR = Sentence(
    "business_car",
    "商務車廂，{}至{}：{} × {}",
    "商务车厢，{}至{}：{} × {}",
    "business car {} to {}: {} x {}",
)
OVERSTAY_UNKNOWN = Sentence(
    "overstay_unknown",
    "停留超過 {} 分鐘：商務車廂的逾時附加費未有公布",
    "停留超过 {} 分钟：商务车厢的超时附加费未公布",
    "a stay over {} minutes: what it adds in the business car is not known",
)
# A tap is missing.
MISSING_EXIT = Sentence(
    "missing_exit",
    "由{}入閘後未有出閘紀錄：收取最高車費（按本平台理解）",
    "在{}进站后无出站记录：收取最高票价（按本平台理解）",
    "no exit is known for the entry at {}: the maximum fare (our reading)",
)
MISSING_ENTRY = Sentence(
    "missing_entry",
    "於{}出閘但未有入閘紀錄：收取最高車費（按本平台理解）",
    "在{}出站但无进站记录：收取最高票价（按本平台理解）",
    "no entry is known for the exit at {}: the maximum fare (our reading)",
)
FILLED_BY_OPEN_GATES = Sentence(
    "filled",
    "未有{}紀錄：當時閘門開放，以車費最低的開放車站計算",
    "无{}记录：当时闸机开放，按票价最低的开放车站计算",
    "no {} is known: gates stood open there: the cheapest of the stops",
)
FILLED_BY_RIDER = Sentence(
    "filled",
    "未有{}紀錄：以乘客補登的車站計算",
    "无{}记录：按乘客补登的车站计算",
    "no {} is known: as the rider declared",
)
FILLED_BY_OPERATOR = Sentence(
    "filled",
    "未有{}紀錄：以營運商更正的車站計算",
    "无{}记录：按运营方更正的车站计算",
    "no {} is known: as the operator corrected",
)
FILLED_BY_HABIT = Sentence(
    "filled",
    "未有{}紀錄：以乘客慣常的車站計算",
    "无{}记录：按乘客惯常的车站计算",
    "no {} is known: where the rider leaves every time",
)
# Buses.
STAGE_FARE = Sentence(
    "stage_fare",
    "路線 {}：由車上讀碼器設定的車費",
    "线路 {}：由车载读码器设定的票价",
    "route {}: fare set by the reader",
)
FARE_OF_ROUTE = Sentence(
    "fare", "路線 {}，成人全程車費", "线路 {}，成人全程票价", "route {}, adult full fare"
)
FARE_OF_ROUTE_ON_ALL_DAYS = Sentence(
    "fare",
    "路線 {}，成人全程車費；未知平日有否較低車費",
    "线路 {}，成人全程票价；未知平日是否有较低票价",
    "route {}, adult full fare; no lower fare of weekdays is known",
)
FARE_FROM_STOP = Sentence(
    "fare",
    "路線 {}，由{}上車，成人車費",
    "线路 {}，从{}上车，成人票价",
    "route {} from {}, adult full fare",
)
FREE_ROUTE = Sentence(
    "free",
    "路線 {}：免費乘搭，公布成人全程車費為{}",
    "线路 {}：免费乘坐，公布成人全程票价为{}",
    "route {}, adult full fare: a free ride, published at {}",
)
FREE_FROM_STOP = Sentence(
    "free",
    "路線 {}，由{}上車：免費乘搭，公布成人車費為{}",
    "线路 {}，从{}上车：免费乘坐，公布成人票价为{}",
    "route {} from {}, adult full fare: a free ride, published at {}",
)
DEFAULT_FARE = Sentence(
    "default_fare",
    "路線 {} 不在車費表內：收取預設車費",
    "线路 {} 不在票价表内：收取默认票价",
    "route {} is in no list: the default fare",
)
HOLIDAY_FARE = Sentence(
    "holiday_fare",
    "路線 {}，星期日及公眾假期成人車費",
    "线路 {}，星期日及公众假期成人票价",
    "route {}, adult fare of Sundays and holidays",
)
CALENDAR_UNKNOWN = Sentence(
    "calendar_unknown",
    "{}假期表沒有 {}的資料：不當作假期（按本平台理解）",
    "{}假期表没有 {}的资料：不视为假期（按本平台理解）",
    "the calendar of {} does not know {}: not a holiday (our reading)",
)
SECTION_FARE = Sentence(
    "section_fare",
    "路線 {}，{}至{}：按分段收費",
    "线路 {}，{}至{}：按分段计价",
    "route {}, {} to {}: by section",
)
SECTION_REFUND = Sentence(
    "section_refund",
    "路線 {}，{}至{}：下車再次掃碼，分段車費為{}，退還差額",
    "线路 {}，{}至{}：下车再次扫码，分段票价为{}，退还差额",
    "route {}, {} to {}: scanned again on alighting, the section costs {}",
)
NO_ALIGHTING = Sentence(
    "no_alighting",
    "路線 {}：下車時未有掃碼，收取全程車費，不設優惠",
    "线路 {}：下车未扫码，收取全程票价，不享受优惠",
    "route {}: no scan on alighting, the full fare, no discount",
)
CODE_TIER = Sentence(
    "code_tier",
    "乘車碼優惠：車費由{1}至{2}的部分，按 {0}% 收取",
    "乘车码优惠：票价从{1}到{2}的部分，按 {0}% 收取",
    "ride codes pay {0} % of the part from {1} to {2}",
)
# The whole fare again.
FARE_WAIVED = Sentence(
    "free", "營運商豁免本程車費", "运营方免收本程车费", "a fare waiver of the operator holds"
)
EMERGENCY = Sentence(
    "emergency",
    "經緊急開放的閘門離開：免費（按本平台理解）",
    "经紧急开放的闸机离开：免费（按本平台理解）",
    "left through gates that an emergency had opened (our reading: free)",
)
GIVEN_BACK = Sentence(
    "given_back", "營運商已退還車費", "运营方已退还车费", "the operator gave the fare back"
)
LATE_AND_ALONE = Sentence(
    "late",
    "閘門紀錄逾期送達，且無另一端紀錄：不再收費",
    "闸机记录逾期送达，且无另一端记录：不再收费",
    "a tap at a gate came after the late window, and no other with it: nothing more",
)
LATE = Sentence(
    "late",
    "掃碼紀錄逾期送達：單獨計算，不計入其他行程的優惠",
    "扫码记录逾期送达：单独计算，不参与其他行程的优惠",
    "a tap came after the late window: priced alone, without discounts by history",
)
# What the rides before take off.
MONTH_TIER = Sentence(
    "month_tier",
    "當月此前已付{}：按車費的 {}% 收取",
    "当月此前已付{}：按票价的 {}% 收取",
    "{} spent in the month before: {} %",
)
TRANSFER = Sentence(
    "transfer",
    "轉乘優惠：距上一程{1} {0}，在 {2} 分鐘內",
    "换乘优惠：距上一程{1} {0}，在 {2} 分钟内",
    "{0} after {1}, within {2} minutes",
)
CAP = Sentence("cap", "{1}收費上限：{0}", "{1}收费上限：{0}", "no more than {0} a {1}")
