"""The words in which people are told what happens to a caller and why, in Japanese and English."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from screener.domain.caller import Caller, NumberClass
from screener.domain.inert import inert
from screener.domain.lists import ListName
from screener.domain.numbers import Country, written
from screener.domain.policy import Decision, Rule, Verdict


@dataclass(frozen=True)
class Words:
    """One language. ``rules`` are the leaflet: one sentence a rule, in their order."""

    headings: Mapping[str, str]
    rules: Mapping[Rule, str]
    verdicts: Mapping[Verdict, str]
    classes: Mapping[NumberClass, str]
    reasons: Mapping[str, str]
    lists: Mapping[ListName, str]
    origins: Mapping[str, str]
    undo: Mapping[str, str]


ENGLISH: Final = Words(
    headings={
        "number": "number",
        "name": "name",
        "class": "class",
        "verdict": "verdict",
        "reason": "reason",
        "entry": "entry",
        "undo": "to change it",
        "rules": "rules",
        "decided": "<- decided",
        "instead": "not enforced; would be: {verdict}",
        "since": "since {day}",
        "until": "until {day}",
        "from": "from {origin}",
        "version": "version {version}",
        "withheld": "no number",
    },
    rules={
        Rule.EMERGENCY: "an emergency number rings at once, always",
        Rule.EMERGENCY_WINDOW: "after the household called for help, everybody rings at once",
        Rule.ALLOW_LIST: "whom you allow rings at once (the more exact entry counts)",
        Rule.SCREEN_LIST: "whom you let in with a warning is warned first",
        Rule.BLOCK_LIST: "whom you block is refused",
        Rule.FRAUD_LIST: "whom a fraud list names is refused",
        Rule.DIALLED: "whom you dialled yourself rings at once",
        Rule.HOURS: "in your quiet hours strangers do not ring",
        Rule.CLASS: "else the kind of number decides",
    },
    verdicts={
        Verdict.PASS: "pass: rings at once",
        Verdict.SCREEN: "screen: is warned, then it rings and is recorded",
        Verdict.MESSAGE: "message: does not ring, can leave a message",
        Verdict.BLOCK: "block: is refused",
    },
    classes={each: each.value.replace("_", " ") for each in NumberClass},
    reasons={
        "emergency_number": "an emergency number",
        "household_called_for_help": "the household called for help a short while ago",
        "household_dialled_it": "you dialled this number yourself",
        "quiet_hours": "your quiet hours",
        "no_caller_id_on_this_line": "no caller on this line ever showed a number",
        "police_look_alike_from_abroad": "from abroad, and ends like a number of the police",
        "on_allow_list": "it stands on your allow list",
        "on_screen_list": "it stands on your screen list",
        "on_block_list": "it stands on your block list",
        "on_fraud_list": "it stands on a fraud list",
        NumberClass.DOMESTIC_INVALID: "a domestic number that cannot exist",
        NumberClass.JAPAN_VIA_INTERNATIONAL: "a domestic number that came from abroad",
        NumberClass.INTERNATIONAL: "from abroad",
        NumberClass.INTERNATIONAL_FAKE: "from abroad, a number that no country has",
        NumberClass.INTERNATIONAL_SUSPECT: "begins with 00, as no domestic number does",
    },
    lists={
        ListName.ALLOW: "allow list",
        ListName.SCREEN: "screen list",
        ListName.BLOCK: "block list",
        ListName.FRAUD: "fraud list",
    },
    origins={"household": "the household", "dialled": "your own calls"},
    undo={
        "nothing": "nothing: it always rings",
        "wait": "it ends by itself",
        "or": "{one}, or {other}",
    },
)

JAPANESE: Final = Words(
    headings={
        "number": "電話番号",
        "name": "名前",
        "class": "種類",
        "verdict": "判定",
        "reason": "理由",
        "entry": "登録",
        "undo": "変更するには",
        "rules": "規則",
        "decided": "← これで決定",
        "instead": "実施せず（本来は {verdict}）",
        "since": "{day} から",
        "until": "{day} まで",
        "from": "{origin}より",
        "version": "版 {version}",
        "withheld": "番号なし",
    },
    rules={
        Rule.EMERGENCY: "緊急番号からの電話は、いつでもすぐに鳴ります",
        Rule.EMERGENCY_WINDOW: "緊急通報のあとしばらくは、どの電話もすぐに鳴ります",
        Rule.ALLOW_LIST: "許可した相手は、すぐに鳴ります（より詳しい登録が優先）",
        Rule.SCREEN_LIST: "警告つきで通す相手には、先に警告を流します",
        Rule.BLOCK_LIST: "拒否した相手は、つなぎません",
        Rule.FRAUD_LIST: "詐欺番号リストにある相手は、つなぎません",
        Rule.DIALLED: "こちらから電話をかけた相手は、すぐに鳴ります",
        Rule.HOURS: "おやすみ時間には、知らない相手の電話は鳴りません",
        Rule.CLASS: "それ以外は、番号の種類で決まります",
    },
    verdicts={
        Verdict.PASS: "通す：すぐに鳴ります",
        Verdict.SCREEN: "警告：録音の警告を流してから鳴らし、録音します",
        Verdict.MESSAGE: "伝言：鳴らさずに、伝言を預かります",
        Verdict.BLOCK: "拒否：つなぎません",
    },
    classes={
        NumberClass.EMERGENCY: "緊急番号",
        NumberClass.INTERNAL: "内線",
        NumberClass.SPECIAL: "1XY特番",
        NumberClass.FIXED_LINE: "固定電話",
        NumberClass.MOBILE: "携帯電話",
        NumberClass.VOIP: "IP電話",
        NumberClass.TOLL_FREE: "フリーダイヤル",
        NumberClass.PREMIUM_RATE: "有料情報サービス",
        NumberClass.UAN: "ナビダイヤルなど",
        NumberClass.PAGER: "ポケットベルなど",
        NumberClass.DOMESTIC_INVALID: "存在しない国内番号",
        NumberClass.JAPAN_VIA_INTERNATIONAL: "国際回線から来た国内番号",
        NumberClass.INTERNATIONAL: "国際電話",
        NumberClass.INTERNATIONAL_FAKE: "偽の国際番号",
        NumberClass.INTERNATIONAL_SUSPECT: "疑わしい国際番号",
        NumberClass.WITHHELD: "非通知",
        NumberClass.PAYPHONE: "公衆電話",
        NumberClass.UNAVAILABLE: "表示圏外",
        NumberClass.MALFORMED: "番号ではない表示",
    },
    reasons={
        "emergency_number": "緊急番号からの電話です",
        "household_called_for_help": "少し前に、こちらから緊急通報をしています",
        "household_dialled_it": "こちらから電話をかけた相手です",
        "quiet_hours": "おやすみ時間です",
        "no_caller_id_on_this_line": "この回線では、まだ一度も番号が表示されていません",
        "police_look_alike_from_abroad": "国外からで、末尾が警察の番号に似ています",
        "on_allow_list": "許可リストにあります",
        "on_screen_list": "警告つきで通すリストにあります",
        "on_block_list": "拒否リストにあります",
        "on_fraud_list": "詐欺番号リストにあります",
    },
    lists={
        ListName.ALLOW: "許可リスト",
        ListName.SCREEN: "警告つきで通すリスト",
        ListName.BLOCK: "拒否リスト",
        ListName.FRAUD: "詐欺番号リスト",
    },
    origins={"household": "ご家庭", "dialled": "こちらからの発信"},
    undo={
        "nothing": "変更できません（いつでも鳴ります）",
        "wait": "時間がたてば終わります",
        "or": "{one} または {other}",
    },
)

LANGUAGES: Final[Mapping[str, Words]] = {"ja": JAPANESE, "en": ENGLISH}


def reason(decision: Decision, words: Words) -> str:
    """Return why, in words; a reason that is the class of the number as that class."""
    if decision.reason in words.reasons:
        return words.reasons[decision.reason]
    if decision.reason in frozenset(NumberClass):
        return words.classes[NumberClass(decision.reason)]
    return inert(decision.reason.replace("_", " "), 80)


def undo_commands(caller: Caller, decision: Decision, country: Country) -> list[str]:
    """Return what would undo a verdict, the nearest first: commands, and settings as their keys."""
    entry, number = decision.entry, written(caller.list_key, country=country)
    rings = decision.verdict is Verdict.PASS
    own = f"screener {'block' if rings else 'allow'} {shlex.quote(number)}" if number else ""
    match decision.rule:
        case Rule.EMERGENCY | Rule.EMERGENCY_WINDOW:
            return []
        case Rule.ALLOW_LIST | Rule.SCREEN_LIST | Rule.BLOCK_LIST if entry is not None:
            ways = [f"screener unlist {shlex.quote(written(entry.number, country=country))}"]
            ways += [own] if entry.covers_many and own else []
        case Rule.HOURS:
            ways = [*filter(None, [own]), "[hours] quiet"]
        case Rule.CLASS:
            ways = [*filter(None, [own]), f"[callers] {caller.number_class}"]
        case _:
            ways = [*filter(None, [own])]
    watched = decision.instead_of is not None and rings
    return [*ways, "profile"] if watched else ways


def undo(caller: Caller, decision: Decision, country: Country, words: Words) -> str:
    """Return in words what would undo a verdict."""
    if decision.rule is Rule.EMERGENCY:
        return words.undo["nothing"]
    if decision.rule is Rule.EMERGENCY_WINDOW:
        return words.undo["wait"]
    ways = undo_commands(caller, decision, country)
    text = ways[0]
    for other in ways[1:]:
        text = words.undo["or"].format(one=text, other=other)
    return text
