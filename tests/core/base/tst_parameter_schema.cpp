// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parameter_schema.h"

#include <QTest>

using namespace tamis;

namespace {
ParameterSchema schema()
{
    ParameterSpec ridge{.name = "ridge", .title = "Ridge", .type = ParameterType::Real, .defaultValue = 0.01};
    ParameterSpec count{.name = "count", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 8};
    ParameterSpec form{.name = "form", .type = ParameterType::Choice, .defaultValue = std::string("a"), .choices = {"a", "b"}};
    ParameterSpec flag{.name = "flag", .type = ParameterType::Boolean, .defaultValue = false};
    return ParameterSchema({ridge, count, form, flag});
}
} // namespace

class TstParameterSchema : public QObject
{
    Q_OBJECT
private slots:
    void parsesEveryTypeWhateverTheLocale()
    {
        QLocale::setDefault(QLocale(QLocale::German)); // decimal comma
        const auto s = schema();
        QCOMPARE(std::get<double>(s.parse("ridge", "0.25")), 0.25);
        QCOMPARE(std::get<std::int64_t>(s.parse("count", "8")), std::int64_t{8});
        QVERIFY(std::get<bool>(s.parse("flag", "on")));
        QVERIFY(std::get<std::string>(s.parse("form", "b")) == "b");
    }
    void refusesWithNameFoundAndExpected_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("expected");
        QTest::newRow("not a number") << "ridge" << "0,5" << "ridge: found '0,5', expected a number";
        QTest::newRow("range") << "count" << "9" << "count: found 9, expected 1 to 8";
        QTest::newRow("nan") << "ridge" << "nan" << "ridge: found nan, expected 0 to 1";
        QTest::newRow("choice") << "form" << "c" << "form: found 'c', expected one of a, b";
        QTest::newRow("trailing") << "count" << "3x" << "count: found '3x', expected a whole number";
        QTest::newRow("unknown") << "rigde" << "1" << "rigde: is not a parameter of this method (it has: ridge, count, form, flag)";
    }
    void refusesWithNameFoundAndExpected()
    {
        QFETCH(QString, name);
        QFETCH(QString, text);
        QFETCH(QString, expected);
        try {
            schema().parse(name.toStdString(), text.toStdString());
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(QString(error.what()), expected);
        }
    }
    void completeFillsDefaultsAndKeepsWhatIsGiven()
    {
        Parameters given;
        given.set("count", std::int64_t{2});
        const Parameters all = schema().complete(given);
        QCOMPARE(all.integer("count"), std::int64_t{2});
        QCOMPARE(all.real("ridge"), 0.01);
        QVERIFY_EXCEPTION_THROWN(all.text("count"), Error);
    }
};

QTEST_GUILESS_MAIN(TstParameterSchema)
#include "tst_parameter_schema.moc"
