// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/file_names.h"

#include <QTest>

#include <set>

using tamis::fileStems;

class TestFileNames : public QObject {
    Q_OBJECT
private slots:
    void namesAreSafe_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("stem");
        QTest::newRow("plain") << "cat.jpg" << "cat";
        QTest::newRow("folder") << "sub/cat.jpg" << "sub_cat";
        QTest::newRow("upwards") << "../../etc/passwd" << "_.._.._etc_passwd";
        QTest::newRow("two suffixes") << "a.tar.gz" << "a.tar";
        QTest::newRow("none") << "cat" << "cat";
        QTest::newRow("hidden") << ".hidden" << "_.hidden";
        QTest::newRow("dotted folder") << "v1.2/cat" << "v1.2_cat";
        QTest::newRow("forbidden") << "a:b*c?\"<d>|e\\f\n.png" << "a_b_c___d__e_f_";
        QTest::newRow("empty") << "" << "_";
        QTest::newRow("letters") << QString::fromUtf8("Zoë/été.jpg") << QString::fromUtf8("Zoë_été");
    }
    void namesAreSafe()
    {
        QFETCH(QString, name);
        QFETCH(QString, stem);
        QCOMPARE(QString::fromStdString(fileStems({name.toStdString()}).front()), stem);
    }
    void twinsAreToldApart()
    {
        QCOMPARE(fileStems({"a.jpg", "a.png", "A.jpg", "a-2.jpg", "b/a.jpg", "b_a.jpg"}), (std::vector<std::string>{"a", "a-2", "A-3", "a-2-2", "b_a", "b_a-2"}));
    }
    void longNamesAreCutBetweenLetters()
    {
        std::string name;
        for (int i = 0; i < 200; ++i)
            name += "é"; // two bytes each
        for (const std::string& before : {std::string(), std::string("x")}) {
            const auto stems = fileStems({before + name + "1.jpg", before + name + "2.jpg"});
            QVERIFY(stems[0].size() <= 150 && stems[0].size() > 140);
            QVERIFY(stems[0] != stems[1]);
            QVERIFY(!QString::fromStdString(stems[0]).contains(QChar::ReplacementCharacter));
        }
    }
};

QTEST_GUILESS_MAIN(TestFileNames)
#include "tst_file_names.moc"
