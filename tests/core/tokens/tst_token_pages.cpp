// SPDX-License-Identifier: GPL-3.0-or-later
// Every method of the lab has a page that names its parameters, and a complete declaration.
#include "core/tokens/method.h"
#include "tests/core/method_pages.h"

using namespace tamis;

class TestTokenPages : public QObject {
    Q_OBJECT
private slots:
    void everyMethodHasAPageThatNamesItsParameters_data() { test::addMethodRows(tokens::methods()); }
    void everyMethodHasAPageThatNamesItsParameters()
    {
        QFETCH(QString, id);
        const auto* method = tokens::findMethod(id.toStdString());
        QVERIFY(method);
        test::verifyPage(method->declaration);
    }
    void idsAreUniqueAndOfTheLab() { test::verifyIds(tokens::methods(), [](const tokens::Method& method) { return static_cast<bool>(method.chain); }); }
};

QTEST_GUILESS_MAIN(TestTokenPages)
#include "tst_token_pages.moc"
