// SPDX-License-Identifier: GPL-3.0-or-later
// Every method of the lab has a page that names its parameters, and a complete declaration.
#include "core/spectrum/method.h"
#include "tests/core/method_pages.h"

using namespace tamis;

class TstMethodPages : public QObject {
    Q_OBJECT
private slots:
    void everyMethodHasAPageThatNamesItsParameters_data() { test::addMethodRows(spectrum::methods()); }
    void everyMethodHasAPageThatNamesItsParameters()
    {
        QFETCH(QString, id);
        const auto* method = spectrum::findMethod(id.toStdString());
        QVERIFY(method);
        test::verifyPage(method->declaration);
    }
    void idsAreUniqueAndOfTheLab() { test::verifyIds(spectrum::methods(), [](const spectrum::Method& method) { return method.run && method.factors; }); }
};

QTEST_GUILESS_MAIN(TstMethodPages)
#include "tst_method_pages.moc"
