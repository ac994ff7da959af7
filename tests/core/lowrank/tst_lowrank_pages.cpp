// SPDX-License-Identifier: GPL-3.0-or-later
// Every method of the lab has a page that names its parameters, and a complete declaration.
#include "core/lowrank/method.h"
#include "tests/core/method_pages.h"

using namespace tamis;

class TstLowRankPages : public QObject {
    Q_OBJECT
private slots:
    void everyMethodHasAPageThatNamesItsParameters_data() { test::addMethodRows(lowrank::methods()); }
    void everyMethodHasAPageThatNamesItsParameters()
    {
        QFETCH(QString, id);
        const auto* method = lowrank::findMethod(id.toStdString());
        QVERIFY(method);
        test::verifyPage(method->declaration);
    }
    void idsAreUniqueAndOfTheLab() { test::verifyIds(lowrank::methods(), [](const lowrank::Method& method) { return bool(method.compress); }); }
};

QTEST_GUILESS_MAIN(TstLowRankPages)
#include "tst_lowrank_pages.moc"
