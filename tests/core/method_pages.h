// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the declarations of a lab's methods must hold, and their pages in docs/methods/. Each verifies and returns: the last call
// of a test function.
#include "core/base/parameter_schema.h"

#include <QFile>
#include <QTest>

#include <set>
#include <string>
#include <vector>

namespace tamis::test {

/// One row a method, column "id".
template <class Method> void addMethodRows(const std::vector<Method>& methods)
{
    QTest::addColumn<QString>("id");
    for (const auto& method : methods)
        QTest::newRow(method.declaration.id.c_str()) << QString::fromStdString(method.declaration.id);
}

/// The page has the headings and names every parameter; the declaration has a title and help for each, and a reference.
inline void verifyPage(const MethodDeclaration& declaration)
{
    QFile page(QStringLiteral(TAMIS_SOURCE_DIR "/docs/methods/%1.md").arg(QString::fromStdString(declaration.id)));
    QVERIFY2(page.open(QIODevice::ReadOnly), qPrintable(page.fileName()));
    const QString text = QString::fromUtf8(page.readAll());
    for (const auto& spec : declaration.schema.specs()) {
        QVERIFY2(text.contains(QStringLiteral("`%1`").arg(QString::fromStdString(spec.name))), spec.name.c_str());
        QVERIFY2(!spec.title.empty() && !spec.help.empty(), spec.name.c_str());
    }
    for (const char* heading : {"Formula", "Cost", "Limits"})
        QVERIFY2(text.contains(QLatin1String(heading)), heading);
    QVERIFY(!declaration.reference.empty());
}

/// No id twice, each "lab.name", and each method with all that `isWhole` asks of it.
template <class Method, class IsWhole> void verifyIds(const std::vector<Method>& methods, IsWhole isWhole)
{
    std::set<std::string> seen;
    for (const auto& method : methods) {
        QVERIFY(seen.insert(method.declaration.id).second);
        QVERIFY(method.declaration.id.rfind(method.declaration.lab + ".", 0) == 0);
        QVERIFY2(isWhole(method), method.declaration.id.c_str());
    }
}

} // namespace tamis::test
