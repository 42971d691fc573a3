"""个人信息旁的词 pii_words: words that stand near personal data and speak for it, or against it.

Every alternative begins with a plain character and no flag is set: `re` then skips to possible first characters, which
makes a look at forty characters cheap enough to be taken at every number.
"""

from __future__ import annotations

import re

CONTEXTS: dict[str, re.Pattern[str]] = {
    "identity": re.compile(
        "身份证|身份證|身分證|身份號|身份号|證件|证件|公民身份|居民身份|居住证|居住證|社保卡|驾驶证|id_?card"
        "|ID card|ID No|idCard|IDCARD|sfz|SFZ"
    ),
    "phone": re.compile(
        "电话|電話|手机|手機|行动|行動|联系|聯繫|聯絡|致电|拨打|热线|熱線|座机|传真|傳真|号码|號碼|微信同号|tel|Tel|TEL|phone"
        "|Phone|PHONE|mobile|Mobile|MOBILE|fax|Fax|FAX|WhatsApp|whatsapp|☎|📱"
    ),
    "bank": re.compile(
        "银行|銀行|卡号|卡號|账号|账户|帐号|帐户|收款|开户|汇款|打款|转账|信用卡|储蓄卡|借记卡|[工农中建交招]行|农商|农信|邮储"
        "|建行卡|农行卡|bank|Bank|card|Card"
    ),
    "card of a shop": re.compile("会员|會員|充值|积分|购物卡|礼品卡|点卡|饭卡|水卡|一卡通|ICCID|IMEI"),
    "reference": re.compile(
        "订单|訂單|單號|单号|流水|编号|編號|编码|货号|ISBN|ISSN|版本|version|序列号|S/N|SN|发票|运单|快递|型号|型號|批号|批次|统计"
        "|DOI|条码|条形码|期刊|合同|回复|楼层|票号|票號|案号|备案|许可证|注册号|商户号|交易号|学号|工号|准考证|uid|UID|tid|pid"
        "|TID|PID|orderNo|order_"
    ),
    "credit code": re.compile("信用代码|税号|税務|纳税|納稅|執照|执照|识别号"),
    "passport": re.compile("护照|護照|passport|Passport|PASSPORT|通行证|通行證|回乡证|回鄉證|台胞证|台胞證|旅行证"),
    "plate": re.compile("车牌|車牌|牌照|车辆|車輛|号牌|號牌|驾驶|车主|肇事|轿车|停车"),
    "mail": re.compile("邮箱|郵箱|信箱|邮件|郵件|mail|Mail|MAIL"),
    "alipay": re.compile("支付宝|支付寶|alipay|Alipay|ALIPAY|PID|pid|seller_id|partner|user_id"),
    "place": re.compile(
        "坐标|座標|经度|經度|纬度|緯度|经纬|東經|东经|北纬|北緯|位于|采样|样地|定位|GPS|gps|lat|Lat|lng|Lng|lon|Lon|loc|Point|POINT"
        "|center|geo|Geo|°"
    ),
    "network": re.compile("IP|ip|地址|来自|from|client|host|Host|服务器|登录|解析"),
}
CONTEXTS_BEHIND: dict[str, re.Pattern[str]] = {  # what ends right where a number begins
    "telephone": re.compile(
        r"(?:电\s*话|電話|座机|傳真|传\s*真|热线|熱線|手机|手機|[Tt]el|TEL|[Ff]ax|FAX|[Pp]hone|WhatsApp)"
        r"(?:号码|號碼|号)?[\s:：.]{0,4}$"
    ),
    "telephone number": re.compile(r"(?:0[0-9]{2,3}[-)）\s]{0,2}|[/、])[2-8][0-9]{6,7}\s?[/、]\s?$"),
    "taiwan permit": re.compile("(?:台胞[证證]|台湾居民来往大陆通行证|臺灣居民來往大陸通行證)[^0-9，。；\n]{0,12}$"),
    "amount": re.compile(r"(?:[¥￥$€£元]|人民币|港币|[额高多已]达|达到|合计|共计|总额|超过)\s?[:：]?\s?$"),
    "version": re.compile(
        r"(?:版本?|[Vv]er(?:sion)?|[Vv]|[Bb]uild|[Rr]elease|内核|固件|kernel|nginx|apache|Apache|OpenSSL|openssl|PHP|php|MySQL"
        r"|mysql|[Rr]edis|[Pp]ython|[Jj]ava|JDK|jdk|[Ll]inux|Windows|Android|iOS|Office|Chrome|Firefox|Opera|Edge|bios|BIOS)"
        r"[号:：/\s]{0,3}$"
    ),
    "mail header": re.compile(r"(?:Message-I[Dd]|In-Reply-To|References):\s?<$"),
    "link": re.compile(r"://[^\s?\"'<>，。；（）]*[/.\-_]$"),
    "query of an id": re.compile(r"(?<![A-Za-z])[tpu]?id[\"']?\s?[=:：]\s?[\"']?$"),
}
# What follows an amount and never a telephone number.
UNITS = re.compile(
    r"\s?(?:元|[万亿萬億](?!里)|美元|欧元|日元|港元|次(?!日)|字节|公里|千米|光年|平方|立方|吨|公斤|千克|册|票|倍|秒|毫秒|股|楼|人(?!工)"
    r"|名(?!片)|个(?!人)|條|条|分(?!机)|辆|幅|枚|只|件)"
)
PRODUCTS = frozenset((  # follow 微信 or 支付宝 and are no account
    "wechat", "android", "iphone", "windows", "weixin", "alipay", "openid", "unionid", "version", "paypal", "github",
    "weapp", "harmony", "macos", "accesstoken", "access_token", "jssdk", "js-sdk", "wechatpay", "wechat-pay",
))  # fmt: skip
FILE_ENDINGS = frozenset((
    "png", "jpg", "jpeg", "gif", "webp", "svg", "css", "js", "py", "html", "htm", "php", "txt", "zip", "gz", "tar",
    "deb", "rpm", "exe", "so", "log", "md", "json", "xml", "yaml", "yml", "ts", "vue", "jar", "dll", "bmp", "ico",
))  # fmt: skip
MAIL_HOSTS = frozenset((  # of addresses with a space at the @
    "qq.com", "163.com", "126.com", "sina.com", "sina.cn", "sohu.com", "gmail.com", "foxmail.com", "outlook.com",
    "hotmail.com", "yeah.net", "139.com", "189.cn", "aliyun.com", "icloud.com", "vip.qq.com", "vip.sina.com",
))  # fmt: skip
