"""When two spellings of a stop's name mean the same stop.

Case, blanks, punctuation, "&" or "and", an ending such as "station" or 站, and traditional or
simplified characters make no difference. Only characters of stops' names are in the table.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum

_TRADITIONAL = (
    "亞來兒別創動務勝勞勵匯區協啟國圍園圓圖堅堯場奧媽學寧寶將島峽崗嶺嶼巒幹廈廠廣徑悅愛懲掃數於時暉暢曉書會東業榮樂樓樹橋"
    "機橫欖欽況滿澤濕濱瀝灘灣為烏獄瑤環畢當發監眾砲碩碼禮窩簡籬紀約紅級終經維線總繞纜羅聖聯臨臺興舊莊華蓮蔭藍蘇處號蠔規視"
    "覽觀設詩課調護豐貝貢貨貴費貿賢車軍軒輔輝輪輸轉農遊運達邊邨郵鄉醫銀銅錦鐘鐵鑼鑽長門開間閘閣陽際隴雲頂順頌頓頭顯風飛館"
    "馬駱駿騰體魚鯉鰂鳳鴨鶴鸞麗麥黃點龍盤營硤恆茘廟雙鹽靈後楊筍鴿鴻術涼溫燈鎮鍾楓濰湧"
    "劇強購僑託宮曬觀瀾籠關夢粵爾擁懷應巖縱啓爲"
)
_SIMPLIFIED = (
    "亚来儿别创动务胜劳励汇区协启国围园圆图坚尧场奥妈学宁宝将岛峡岗岭屿峦干厦厂广径悦爱惩扫数于时晖畅晓书会东业荣乐楼树桥"
    "机横榄钦况满泽湿滨沥滩湾为乌狱瑶环毕当发监众炮硕码礼窝简篱纪约红级终经维线总绕缆罗圣联临台兴旧庄华莲荫蓝苏处号蚝规视"
    "览观设诗课调护丰贝贡货贵费贸贤车军轩辅辉轮输转农游运达边村邮乡医银铜锦钟铁锣钻长门开间闸阁阳际陇云顶顺颂顿头显风飞馆"
    "马骆骏腾体鱼鲤鲗凤鸭鹤鸾丽麦黄点龙盘营硖恒荔庙双盐灵后杨笋鸽鸿术凉温灯镇钟枫潍涌"
    "剧强购侨托宫晒观澜笼关梦粤尔拥怀应岩纵启为"
)
_TO_SIMPLIFIED = str.maketrans(_TRADITIONAL, _SIMPLIFIED)
#: Simplified characters that traditional names are written with too; they stay.
_BOTH = "村荔台涌炮"
#: Simplified characters of two traditional ones (后海 is not 後海): such a name stays as it is.
_EITHER = frozenset("后干于钟")
_TO_TRADITIONAL = {
    ord(s): t for s, t in zip(_SIMPLIFIED, _TRADITIONAL, strict=True) if s not in _BOTH
} | str.maketrans("启为", "啟為")
#: Longest first: what is left must be the name.
_ENDINGS = ("metrostation", "mtrstation", "station", "地铁站", "港铁站", "站")


def simplified(text: str) -> str:
    """``text`` with the traditional characters of the table written in simplified form."""
    return text.translate(_TO_SIMPLIFIED)


class Language(StrEnum):
    """The languages of a rider's view, as language tags."""

    EN = "en"
    ZH_HANT = "zh-Hant"
    ZH_HANS = "zh-Hans"


def traditional(text: str) -> str:
    """``text`` with the simplified characters of the table in traditional form.

    Empty where a character has two such forms: which one is meant is not to be guessed.
    """
    return "" if _EITHER & set(text) else text.translate(_TO_TRADITIONAL)


def fold(text: str) -> str:
    """The form in which two spellings of one name are equal; never empty for a readable name."""
    plain = unicodedata.normalize("NFKC", simplified(text)).casefold().replace("&", "and")
    kept = "".join(c for c in plain if c.isalnum())
    # "Station" is added to names that end so themselves: 深圳北, 深圳北站, 深圳北站站.
    while shorter := _without_ending(kept):
        kept = shorter
    return kept


def _without_ending(text: str) -> str:
    """``text`` without one ending; empty where it has none, or is nothing else."""
    return next((text.removesuffix(e) for e in _ENDINGS if text.endswith(e)), "")
