// SPDX-License-Identifier: GPL-3.0-or-later
// Switches of what an autoencoder's files leave open.
#include "views/encoder/reader_switches.h"

#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QSignalSpy>
#include <QTest>

using namespace tamis::views;

class TstReaderSwitches : public QObject {
    Q_OBJECT
    std::unique_ptr<QWidget> m_window;
    ReaderSwitches* m_box = nullptr;

    static std::vector<ReaderSwitch> switches()
    {
        return {{"decoder-norms", "Decoder norms", "help", ReaderSwitch::Kind::Choice, "no"}, {"raw-threshold", "Raw thresholds", "help", ReaderSwitch::Kind::Flag, {}},
                {"input-scale", "Input scale", "help", ReaderSwitch::Kind::Number, "0.5"}};
    }
    template <class T> T* child(const char* name) const { return m_box->findChild<T*>(QLatin1String(name)); }
    void pick(const char* name, const QString& text) const
    {
        auto* combo = child<QComboBox>(name);
        QVERIFY(combo && combo->findText(text) >= 0);
        combo->setCurrentIndex(combo->findText(text));
        emit combo->activated(combo->currentIndex());
    }

private slots:
    void init()
    {
        m_window = std::make_unique<QWidget>();
        m_box = new ReaderSwitches(m_window.get());
        m_window->resize(300, 400);
        m_window->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
        m_box->setSwitches(switches(), {"b_dec leaves the input.", "The scale is given by hand."});
        m_box->resize(m_window->size());
    }
    void cleanup() { m_window.reset(); }

    void theyShowWhatIsChosen()
    {
        QVERIFY(m_box->isVisible());
        QCOMPARE(child<QComboBox>("assume-decoder-norms")->currentText(), QStringLiteral("no"));
        QCOMPARE(child<QComboBox>("assume-decoder-norms")->count(), 3);
        QCOMPARE(child<QComboBox>("assume-raw-threshold")->currentText(), QStringLiteral("no"));
        QCOMPARE(child<QComboBox>("assume-raw-threshold")->count(), 2);
        QCOMPARE(child<QLineEdit>("assume-input-scale")->text(), QStringLiteral("0.5"));
        QVERIFY(child<QLabel>("readerNotes")->text().contains("given by hand"));
    }
    void anEditIsAnAssignment()
    {
        QSignalSpy switched(m_box, &ReaderSwitches::switched);
        pick("assume-decoder-norms", "yes");
        QCOMPARE(switched.last(), (QList<QVariant>{"decoder-norms", "yes"}));
        m_box->setSwitches(switches(), {}); // it could not be read so: the choice goes back
        QCOMPARE(child<QComboBox>("assume-decoder-norms")->currentText(), QStringLiteral("no"));
        pick("assume-decoder-norms", "as stated");
        QCOMPARE(switched.last(), (QList<QVariant>{"decoder-norms", ""}));
        m_box->setSwitches(switches(), {});
        pick("assume-raw-threshold", "yes");
        QCOMPARE(switched.last(), (QList<QVariant>{"raw-threshold", "yes"}));
        m_box->setSwitches(switches(), {});
        auto* scale = child<QLineEdit>("assume-input-scale");
        scale->setFocus();
        scale->selectAll();
        QTest::keyClicks(scale, "-x1.25"); // neither a sign nor a letter
        QTest::keyClick(scale, Qt::Key_Return);
        QCOMPARE(switched.last(), (QList<QVariant>{"input-scale", "1.25"}));
        const auto count = switched.size();
        m_box->setSwitches(switches(), {});
        scale = child<QLineEdit>("assume-input-scale");
        emit scale->editingFinished(); // nothing was changed
        QCOMPARE(switched.size(), count);
    }
    void controlsStayWhereNothingChanges()
    {
        auto* before = child<QComboBox>("assume-decoder-norms");
        m_box->setSwitches(switches(), {"another note"});
        QCOMPARE(child<QComboBox>("assume-decoder-norms"), before);
        QCOMPARE(child<QLabel>("readerNotes")->text(), QStringLiteral("another note"));
    }
    void filesThatLeaveNothingOpenShowNothing()
    {
        m_box->setSwitches({}, {"A note"});
        QVERIFY(m_box->isVisible());
        QVERIFY(!child<QComboBox>("assume-decoder-norms"));
        m_box->setSwitches({}, {});
        QVERIFY(!m_box->isVisible());
    }
};

QTEST_MAIN(TstReaderSwitches)
#include "tst_reader_switches.moc"
