// SPDX-License-Identifier: GPL-3.0-or-later
// Every policy of the cache lab has a page that names its parameters, and the table of policies leads to it.
#include "core/cache/method.h"
#include "tests/core/method_pages.h"

#include <QFile>
#include <QTest>

using namespace tamis;
using namespace tamis::cache;

class TstCachePagesOfMethods : public QObject {
    Q_OBJECT

private slots:
    void everyMethodIsDeclared()
    {
        test::verifyIds(methods(), [](const Method& method) { return method.policy && !method.declaration.title.empty(); });
    }

    void everyMethodHasAPage_data() { test::addMethodRows(methods()); }
    void everyMethodHasAPage()
    {
        QFETCH(QString, id);
        test::verifyPage(findMethod(id.toStdString())->declaration);
    }

    void theTableLeadsToEveryPage_data() { test::addMethodRows(methods()); }
    void theTableLeadsToEveryPage()
    {
        QFETCH(QString, id);
        QFile lab(QStringLiteral(TAMIS_SOURCE_DIR "/docs/cache-lab.md"));
        QVERIFY(lab.open(QIODevice::ReadOnly));
        QVERIFY(QString::fromUtf8(lab.readAll()).contains(QStringLiteral("[`%1`](methods/%1.md)").arg(id)));
    }
};

QTEST_GUILESS_MAIN(TstCachePagesOfMethods)
#include "tst_cache_pages_of_methods.moc"
