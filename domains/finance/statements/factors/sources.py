"""Where the factors come from: papers, standards and textbooks, cited once and referred to by a key.

A ratio that every textbook defines and nobody invented is a "textbook definition"; no page is claimed for it. Pages are
given for articles (first to last); for the books only what is certain: author, title, publisher, year.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["SOURCES", "TEXTBOOK"]

TEXTBOOK: Final = "Textbook definition of financial statement analysis; no single origin"

SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "textbook": TEXTBOOK,
        "altman1968": "Altman, E. I. (1968), Journal of Finance 23(4), 589-609",
        "altman1983": "Altman, E. I. (1983), Corporate Financial Distress, Wiley",
        "altman1995": "Altman, E. I., Hartzell, J. and Peck, M. (1995), Emerging Markets Corporate Bonds: A "
        "Scoring System, Salomon Brothers; coefficients as Altman restates them later",
        "beaver1966": "Beaver, W. H. (1966), Journal of Accounting Research 4 (Supplement), 71-111",
        "beneish1999": "Beneish, M. D. (1999), Financial Analysts Journal 55(5), 24-36",
        "beneish2013": "Beneish, M. D., Lee, C. M. C. and Nichols, D. C. (2013), Financial Analysts Journal "
        "69(2), 57-82",
        "chung1994": "Chung, K. H. and Pruitt, S. W. (1994), Financial Management 23(3), 70-74",
        "cooper2008": "Cooper, M. J., Gulen, H. and Schill, M. J. (2008), Journal of Finance 63(4), 1609-1651",
        "csrc": "CSRC, rules on the content and format of annual reports (disclosure of the five "
        "largest customers and suppliers and of non-recurring items)",
        "dechow2011": "Dechow, P. M., Ge, W., Larson, C. R. and Sloan, R. G. (2011), Contemporary "
        "Accounting Research 28(1), 17-82, model 1",
        "dupont": "DuPont analysis; textbook definition, see Soliman, M. T. (2008), The Accounting "
        "Review 83(3), 823-853",
        "graham": "Graham, B., The Intelligent Investor, Harper; textbook definition of the multiple",
        "higgins1977": "Higgins, R. C. (1977), Financial Management 6(3), 7-16",
        "hirshleifer2004": "Hirshleifer, D., Hou, K., Teoh, S. H. and Zhang, Y. (2004), Journal of Accounting "
        "and Economics 38, 297-331",
        "hribar2002": "Hribar, P. and Collins, D. W. (2002), Journal of Accounting Research 40(1), 105-134",
        "ias33": "IAS 33 Earnings per Share; textbook definition of the ratio",
        "ifrs7": "IFRS 7 Financial Instruments: Disclosures (maturity and credit risk); textbook "
        "definition of the ratio",
        "ifrs8": "IFRS 8 Operating Segments (information about segments, areas and major customers); "
        "textbook definition of the ratio",
        "jacquemin1979": "Jacquemin, A. P. and Berry, C. H. (1979), Journal of Industrial Economics 27(4), 359-369",
        "leuz2003": "Leuz, C., Nanda, D. and Wysocki, P. D. (2003), Journal of Financial Economics 69(3), 505-527",
        "lev1993": "Lev, B. and Thiagarajan, S. R. (1993), Journal of Accounting Research 31(2), 190-215",
        "montier2008": "Montier, J. (2008), Cooking the Books, or, More Sailing Under the Black Flag, "
        "Societe Generale (from secondary sources)",
        "nigrini2012": "Nigrini, M. J. (2012), Benford's Law, Wiley; Amiram, D., Bozanic, Z. and Rouen, E. "
        "(2015), Review of Accounting Studies 20(4), 1540-1593",
        "novymarx2013": "Novy-Marx, R. (2013), Journal of Financial Economics 108(1), 1-28",
        "ohlson1980": "Ohlson, J. A. (1980), Journal of Accounting Research 18(1), 109-131, model 1",
        "piotroski2000": "Piotroski, J. D. (2000), Journal of Accounting Research 38 (Supplement), 1-41",
        "richardson2005": "Richardson, S. A., Sloan, R. G., Soliman, M. T. and Tuna, I. (2005), Journal of "
        "Accounting and Economics 39(3), 437-485",
        "sasac": "SASAC / Ministry of Finance, standards for evaluating the performance of enterprises "
        "(企业绩效评价标准)",
        "shulman1985": "Shulman, J. M. and Cox, R. A. K. (1985), Financial Management 14(1), 64-67",
        "sloan1996": "Sloan, R. G. (1996), The Accounting Review 71(3), 289-315",
        "springate1978": "Springate, G. L. V. (1978), unpublished MBA project, Simon Fraser University; "
        "coefficients from secondary sources",
        "taffler": "Taffler, R. J. (1983), Accounting and Business Research 13(52), 295-308; "
        "coefficients as given by Agarwal, V. and Taffler, R. J. (2007), Accounting and "
        "Business Research 37(4), 285-300",
        "zmijewski1984": "Zmijewski, M. E. (1984), Journal of Accounting Research 22 (Supplement), 59-82; "
        "coefficients from secondary sources, which differ in the sign of the liquidity term",
    }
)
"""Citations by key."""
