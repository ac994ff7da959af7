// SPDX-License-Identifier: GPL-3.0-or-later
// Every method of the lab has a page that names its parameters, and a complete declaration.
#include "core/encoder/method.h"
#include "tests/core/method_pages.h"

using namespace tamis;

class TestEncoderPages : public QObject {
    Q_OBJECT
private slots:
    void everyMethodHasAPageThatNamesItsParameters_data() { test::addMethodRows(encoder::methods()); }
    void everyMethodHasAPageThatNamesItsParameters()
    {
        QFETCH(QString, id);
        const auto* method = encoder::findMethod(id.toStdString());
        QVERIFY(method);
        test::verifyPage(method->declaration);
    }
    void idsAreUniqueAndOfTheLab() { test::verifyIds(encoder::methods(), [](const encoder::Method& method) { return static_cast<bool>(method.build); }); }
};

QTEST_GUILESS_MAIN(TestEncoderPages)
#include "tst_encoder_pages.moc"
