"""The words on a receipt in both languages, and amounts as receipts write them. Pure."""

from station.words import Text

KIND_NAMES = {
    "opening": Text("Account opened", "开户"),
    "purchase": Text("Purchase", "购电"),
    "replacement": Text("Replacement card", "补卡"),
    "reversal": Text("Reversal", "冲正"),
    "meter_change": Text("Meter exchange", "换表"),
    "closing": Text("Account closed", "销户"),
    "transfer": Text("Transfer", "过户"),
    "correction": Text("Correction", "修正"),
}
TITLE_PAID = Text("Receipt", "收据")
TITLE_GIVEN = Text("Refund receipt", "退费凭证")
COPY = Text("COPY", "副本 COPY")
SIMULATION = Text("Simulation: not a real payment", "模拟运行：非真实收款")
NUMBER = Text("No.", "编号")
PAID = Text("Paid", "实收金额")
GIVEN = Text("Given back", "退还金额")
IN_CAPITALS = Text("", "大写")
SOLD_AT = Text("Date", "日期")
KIND = Text("For", "业务")
CUSTOMER = Text("Customer", "用户编号")
CUSTOMER_NAME = Text("Name", "户名")
CUSTOMER_ADDRESS = Text("Address", "地址")
METER = Text("Meter", "电能表")
CARD = Text("Card", "卡号")
TARIFF = Text("Tariff", "电价")
COUNT = Text("Purchase count", "购电次数")
ON_CARD = Text("On the card", "卡内金额")
REASON = Text("Reason", "原因")
APPROVED_BY = Text("Approved by", "审批人")
REVERSES = Text("Reverses receipt", "冲正收据")
CLERK = Text("Clerk", "收费员")
SIGNATURE_CLERK = Text("Clerk's signature", "收费员签字")
SIGNATURE_CUSTOMER = Text("Customer's signature", "用户签字")
PRINTED = Text(
    "Issued {issued} · print {ordinal} on {at} by {by}",
    "开具 {issued} · 第{ordinal}次打印 {at} {by}",
)
KEEP = Text("Please keep this receipt.", "请妥善保管此收据。")

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿")


def number_text(number: int) -> str:
    """Return a receipt's number as it is printed and as its QR code holds it: 8 digits or more."""
    return f"{number:08d}"


def money_text(amount_fen: int) -> str:
    """Return an amount without its sign: 123456 fen is ¥1,234.56."""
    whole, fen = divmod(abs(amount_fen), 100)
    return f"¥{whole:,}.{fen:02d}"


def capital_amount(amount_fen: int) -> str:
    """Return an amount, without its sign, in the capitals that Chinese receipts are written in.

    1002003 fen is 壹万零贰拾元零叁分 (Measures for Payment and Settlement, annex 1: one 零
    for a run of zeros inside the number, 整 after a whole number of yuan or jiao).
    """
    whole, fen = divmod(abs(amount_fen), 100)
    jiao, fen = divmod(fen, 10)
    if not (whole or jiao or fen):
        return "零元整"
    text = f"{_capital_whole(whole)}元" if whole else ""
    if jiao:
        text += f"{_DIGITS[jiao]}角"
    elif fen and whole:
        text += "零"
    return text + (f"{_DIGITS[fen]}分" if fen else "整")


def _capital_whole(value: int) -> str:
    """Return a whole number from 1 to 999,999,999,999 in capitals."""
    text, owed = "", False  # `owed`: zeros were passed over after the first digit.
    digits = str(value)
    for index, digit in enumerate(digits):
        place = len(digits) - 1 - index
        if digit == "0":
            owed = True
        else:
            text += ("零" if owed and text else "") + _DIGITS[int(digit)] + _PLACES[place % 4]
            owed = False
        group = digits[max(0, index - 3) : index + 1] if place % 4 == 0 else ""
        if place and group.strip("0"):
            text += _GROUPS[place // 4]
    return text
