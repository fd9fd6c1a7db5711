"""What the codes of a prepayment meter mean (digest prepaid_card, section 9), in both languages."""

from station.words import Text

CODES = {
    0: Text("the card was taken", "插卡成功"),
    1: Text("low voltage", "电压低"),
    2: Text("the security chip does not work", "ESAM操作失败"),
    3: Text("the security chip does not reset", "ESAM复位失败"),
    4: Text("the card does not answer, or lies the wrong way round", "卡片复位失败（反插或异物）"),
    5: Text("the card is not genuine: it has other keys", "内部认证失败：卡片密钥不符"),
    6: Text("the card does not trust the meter", "外部认证失败"),
    7: Text("the card was never issued", "卡片未发行"),
    8: Text("the type of the card is unknown", "卡类型错误"),
    9: Text("the meter has no keys for this card", "密钥状态不允许该卡"),
    10: Text("the seal of the card is wrong", "MAC校验失败"),
    11: Text("the card is another meter's", "表号不符"),
    12: Text("the card is another customer's", "客户编号不符"),
    13: Text("the customer has a newer card", "卡序列号不符（已补新卡）"),
    14: Text("what is written on the card is broken", "文件格式非法"),
    15: Text("a purchase card came before the opening card", "未开户表插入购电卡"),
    16: Text("a replacement card came before the opening card", "未开户表插入补卡"),
    17: Text("the purchase count of the card is not the next one", "购电次数不符"),
    18: Text("the return file of the card is not empty", "返写文件不为空"),
    19: Text("the talk with the card broke off", "通信错误"),
    20: Text("the card was pulled too early", "提前拔卡"),
    21: Text("the balance would rise above the hoarding limit", "超囤积限额"),
}
