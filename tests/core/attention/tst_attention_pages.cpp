// SPDX-License-Identifier: GPL-3.0-or-later
// Pages of the lab's methods: every page is a method's, and names what can be set.
#include "core/attention/method.h"
#include "tests/core/method_pages.h"

#include <QDir>

using namespace tamis;

class TstAttentionPages : public QObject {
    Q_OBJECT
private slots:
    void idsAreWhole() { test::verifyIds(attention::methods(), [](const attention::Method& method) { return static_cast<bool>(method.op); }); }
    void pagesAreOfMethods()
    {
        const QStringList pages = QDir(QStringLiteral(TAMIS_SOURCE_DIR "/docs/methods")).entryList({QStringLiteral("attention.*.md")});
        QVERIFY(pages.size() >= 12);
        for (const QString& page : pages)
            QVERIFY2(attention::findMethod(page.chopped(3).toStdString()), qPrintable(page));
    }
    void pagesNameWhatCanBeSet_data() { test::addMethodRows(attention::methods()); }
    void pagesNameWhatCanBeSet()
    {
        QFETCH(QString, id);
        const attention::Method* method = attention::findMethod(id.toStdString());
        QVERIFY2(method, qPrintable(id));
        test::verifyPage(method->declaration);
    }
};

QTEST_APPLESS_MAIN(TstAttentionPages)
#include "tst_attention_pages.moc"
