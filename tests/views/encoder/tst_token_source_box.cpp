// SPDX-License-Identifier: GPL-3.0-or-later
// The choice of tokens: what is offered, what is asked for, what is measured and what is fitted to.
#include "views/common/theme.h"
#include "views/encoder/token_source_box.h"

#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QStandardItemModel>
#include <QTest>

using namespace tamis::views;

namespace {
TokenSourceState photos()
{
    TokenSourceState state;
    state.open = true;
    state.source = TokenSource::Photos;
    state.reasons[1] = "no calibration set is open";
    state.reasons[3] = "the model reads images";
    state.measured = "10 photos of photos, after block 3 of vit20: 2570 tokens";
    state.fitted = "10 other photos of it: 2570 tokens";
    state.blocks = 6;
    state.block = state.named = 3;
    return state;
}
} // namespace

class TstTokenSourceBox : public QObject {
    Q_OBJECT
    std::unique_ptr<TokenSourceBox> m_box;
    template <class T> T* child(const char* name) { return m_box->findChild<T*>(QLatin1String(name)); }

private slots:
    void initTestCase() { Theme::instance().apply(*qApp, Theme::Mode::Dark); }
    void init()
    {
        m_box = std::make_unique<TokenSourceBox>();
        m_box->resize(270, 360);
        m_box->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_box.get()));
    }
    void nothingCanBeChosenBeforeAnAutoencoderIsOpen()
    {
        for (const char* name : {"encoderTokensChoose", "encoderCalibrationChoose"})
            QVERIFY(!child<QPushButton>(name)->isEnabled());
        QVERIFY(!child<QComboBox>("tokenOrigin")->isEnabled());
        QVERIFY(!child<QComboBox>("tokenPlace")->isVisible());
    }
    void whatIsMeasuredAndWhatIsFittedToIsSaid()
    {
        m_box->setState(photos());
        QVERIFY(child<QLabel>("encoderTokens")->text().contains("Measured on 10 photos"));
        QVERIFY(child<QLabel>("encoderCalibration")->text().contains("Fitted to 10 other photos"));
        auto alone = photos();
        alone.fitted.clear();
        m_box->setState(alone);
        QVERIFY(child<QLabel>("encoderCalibration")->text().startsWith("Nothing"));
    }
    void theNamedBlockIsMarkedAndAnotherIsNoted()
    {
        m_box->setState(photos());
        auto* place = child<QComboBox>("tokenPlace");
        QCOMPARE(place->count(), 6);
        QCOMPARE(place->currentIndex(), 3);
        QVERIFY(place->itemText(3).contains("name"));
        QVERIFY(!child<QLabel>("tokenPlaceNote")->isVisible());
        auto other = photos();
        other.block = 2;
        m_box->setState(other);
        QVERIFY(child<QLabel>("tokenPlaceNote")->text().contains("block 3"));
        other.named = -1;
        m_box->setState(other);
        QVERIFY(child<QLabel>("tokenPlaceNote")->text().contains("does not say"));
    }
    void whatCannotBeTakenSaysWhy()
    {
        m_box->setState(photos());
        auto* origin = child<QComboBox>("tokenOrigin");
        const auto* items = qobject_cast<QStandardItemModel*>(origin->model());
        QVERIFY(items->item(0)->isEnabled() && !items->item(1)->isEnabled() && items->item(2)->isEnabled() && !items->item(3)->isEnabled());
        QVERIFY(origin->itemData(3, Qt::ToolTipRole).toString().contains("reads images"));
    }
    void choicesAreIntents()
    {
        m_box->setState(photos());
        QSignalSpy source(m_box.get(), &TokenSourceBox::sourceChosen), block(m_box.get(), &TokenSourceBox::blockChosen), site(m_box.get(), &TokenSourceBox::siteChosen),
            open(m_box.get(), &TokenSourceBox::openRequested), own(m_box.get(), &TokenSourceBox::ownRowsRequested), half(m_box.get(), &TokenSourceBox::halfRequested);
        auto* origin = child<QComboBox>("tokenOrigin");
        origin->setFocus();
        QTest::keyClick(origin, Qt::Key_Home); // passes over what cannot be taken
        QCOMPARE(source.size(), 1);
        QCOMPARE(source.first().first().value<TokenSource>(), TokenSource::Rows);
        auto* place = child<QComboBox>("tokenPlace");
        place->setFocus();
        QTest::keyClick(place, Qt::Key_Down);
        QCOMPARE(block.first().first().toInt(), 4);
        QVERIFY(site.isEmpty());
        QTest::mouseClick(child<QPushButton>("encoderTokensChoose"), Qt::LeftButton);
        QCOMPARE(open.size(), 1);
        auto* fit = child<QComboBox>("tokenFit");
        fit->setFocus();
        QTest::keyClick(fit, Qt::Key_Down);
        QCOMPARE(own.size(), 1);
        auto files = photos();
        files.ownRows = true;
        m_box->setState(files);
        QTest::keyClick(fit, Qt::Key_Up);
        QCOMPARE(half.size(), 1);
    }
    void sitesAreChosenByName()
    {
        auto state = photos();
        state.source = TokenSource::Calibration;
        state.reasons[1].clear();
        state.sites = {"blocks.3.attn.qkv", "blocks.4.attn.qkv"};
        state.site = "blocks.4.attn.qkv";
        m_box->setState(state);
        QSignalSpy site(m_box.get(), &TokenSourceBox::siteChosen);
        auto* place = child<QComboBox>("tokenPlace");
        QCOMPARE(place->currentText(), state.site);
        place->setFocus();
        QTest::keyClick(place, Qt::Key_Up);
        QCOMPARE(site.first().first().toString(), state.sites.first());
    }
    void aClosedModelIsNoted()
    {
        auto state = photos();
        state.reasons[2] = "no model is open";
        state.note = "vit20 is closed; its tokens stay until others are chosen";
        m_box->setState(state);
        QVERIFY(child<QLabel>("tokenModelNote")->isVisible());
        QVERIFY(!child<QComboBox>("tokenPlace")->isEnabled()); // there is no model to run
        QCOMPARE(child<QComboBox>("tokenOrigin")->currentIndex(), 2);
    }
};

QTEST_MAIN(TstTokenSourceBox)
#include "tst_token_source_box.moc"
