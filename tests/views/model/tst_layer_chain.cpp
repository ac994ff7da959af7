// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/model_sample.h"
#include "views/common/theme.h"
#include "views/model/layer_chain.h"

#include <QApplication>
#include <QDir>
#include <QPainter>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <QToolTip>
#include <QWheelEvent>

#include <cmath>

using namespace tamis;
using namespace tamis::views;
using Kind = ChainBox::Kind;

class TstLayerChain : public QObject {
    Q_OBJECT
    std::unique_ptr<LayerChain> m_chain;

    int boxOf(const QString& name) const
    {
        const auto& boxes = m_chain->chainLayout().boxes;
        for (std::size_t i = 0; i < boxes.size(); ++i)
            if (boxes[i].kind == Kind::Layer && m_chain->boxText(static_cast<int>(i)).startsWith(name + '\n'))
                return static_cast<int>(i);
        return -1;
    }
    int headOf(int block) const
    {
        const auto& layout = m_chain->chainLayout();
        for (std::size_t i = 0; i < layout.boxes.size(); ++i)
            if (layout.boxes[i].kind == Kind::Header && layout.columns[static_cast<std::size_t>(layout.boxes[i].column)].firstBlock == block)
                return static_cast<int>(i);
        return -1;
    }
    QPoint spot(int box) const { return m_chain->boxOnScreen(box).center().toPoint(); }
    QPoint triangle(int block) const
    {
        const QRectF head = m_chain->boxOnScreen(headOf(block));
        return QPoint(static_cast<int>(head.left()) + 8, static_cast<int>(head.center().y()));
    }
    void click(const QPoint& at, Qt::KeyboardModifiers keys = {}) { QTest::mouseClick(m_chain->viewport(), Qt::LeftButton, keys, at); }
    void wheel(const QPointF& at, int delta, Qt::KeyboardModifiers keys = {})
    {
        QWheelEvent event(at, m_chain->viewport()->mapToGlobal(at), {}, QPoint(0, delta), Qt::NoButton, keys, Qt::NoScrollPhase, false);
        QApplication::sendEvent(m_chain->viewport(), &event);
    }
    static ChainLayout layout(const report::ModelCostReport& report, ChainFolding folding, const std::set<int>& toggled = {}) { return layOutChain(report, folding, toggled, 14); }

private slots:
    void init()
    {
        m_chain = std::make_unique<LayerChain>();
        m_chain->resize(1300, 320);
        m_chain->setReport(sample::vit20(40));
        m_chain->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_chain.get()));
        m_chain->setFocus();
    }
    void cleanup() { m_chain.reset(); }

    void everyLayerHasOneBoxInOrder()
    {
        for (const auto& report : {sample::vit20(), sample::llama(), sample::swin()}) {
            const auto all = layout(*report, ChainFolding::Expanded);
            std::vector<int> seen;
            for (const auto& box : all.boxes)
                if (box.kind == Kind::Layer) {
                    QCOMPARE(box.layers.size(), std::size_t(1));
                    seen.push_back(box.layers[0]);
                }
            QCOMPARE(seen.size(), report->layers.size());
            QVERIFY(std::is_sorted(seen.begin(), seen.end()));
        }
    }

    void boxesNeverOverlapAndStayInside_data()
    {
        QTest::addColumn<int>("model");
        QTest::addColumn<int>("folding");
        for (int model = 0; model < 3; ++model)
            for (int folding = 0; folding < 3; ++folding)
                QTest::addRow("model %d folding %d", model, folding) << model << folding;
    }
    void boxesNeverOverlapAndStayInside()
    {
        QFETCH(int, model);
        QFETCH(int, folding);
        const auto report = model == 0 ? sample::vit20(40) : model == 1 ? sample::llama() : sample::swin();
        const auto all = layout(*report, static_cast<ChainFolding>(folding), {3});
        for (std::size_t i = 0; i < all.boxes.size(); ++i) {
            QVERIFY(QRectF(QPointF(0, 0), all.size).contains(all.boxes[i].rect));
            const auto& column = all.columns[static_cast<std::size_t>(all.boxes[i].column)];
            QVERIFY(column.content.adjusted(-0.1, -0.1, 0.1, 0.1).contains(all.boxes[i].rect));
            for (std::size_t j = i + 1; j < all.boxes.size(); ++j)
                QVERIFY(!all.boxes[i].rect.intersects(all.boxes[j].rect));
        }
        for (std::size_t c = 1; c < all.columns.size(); ++c)
            QVERIFY(all.columns[c].content.left() > all.columns[c - 1].content.right());
    }

    void residualBranchesOfAPreNormBlock()
    {
        const auto report = sample::vit20();
        const auto all = layout(*report, ChainFolding::Expanded);
        for (const auto& column : all.columns) {
            QCOMPARE(column.arcs.size(), column.firstBlock < 0 ? std::size_t(0) : std::size_t(2));
            if (column.firstBlock != 0)
                continue;
            // norm1 .. proj, norm2 .. fc2: layers 1-4 and 5-8
            const auto rect = [&](int layer) {
                for (const auto& box : all.boxes)
                    if (box.kind == Kind::Layer && box.layers[0] == layer)
                        return box.rect;
                return QRectF();
            };
            QVERIFY(column.arcs[0].top < rect(1).top() && column.arcs[0].top > column.frame.top());
            QVERIFY(column.arcs[0].bottom > rect(4).bottom() && column.arcs[0].bottom < rect(5).top());
            QVERIFY(column.arcs[1].top < rect(5).top() && column.arcs[1].bottom > rect(8).bottom());
        }
    }

    void residualBranchesElsewhere()
    {
        // BERT: norms end the branches. Qwen3: norms of queries and keys open none. A block without MLP has one branch.
        sample::ModelSample bert("bert", 16, 1);
        for (const char* role : {"q", "k", "v"})
            bert.linear(std::string("layer.0.") + role, role, 0, 8, 8, 16);
        bert.attention("layer.0.attention", 0, 8, 16, 16, "exact");
        bert.linear("layer.0.o", "o", 0, 8, 8, 16);
        bert.norm("layer.0.norm1", 0, 8, 16);
        bert.linear("layer.0.up", "up", 0, 8, 32, 16);
        bert.activation("layer.0.act", 0, 32, 16);
        bert.linear("layer.0.down", "down", 0, 32, 8, 16);
        bert.norm("layer.0.norm2", 0, 8, 16);
        const auto post = layout(*bert.finish(false), ChainFolding::Expanded);
        QCOMPARE(post.columns[0].arcs.size(), std::size_t(2));
        QVERIFY(post.columns[0].arcs[0].top < post.boxes[1].rect.top());    // above q
        QVERIFY(post.columns[0].arcs[0].bottom < post.boxes[6].rect.top()); // before norm1
        QVERIFY(post.columns[0].arcs[1].bottom < post.boxes.back().rect.top());

        sample::ModelSample qwen("qwen3", 16, 1);
        qwen.norm("layers.0.norm1", 0, 8, 16);
        for (const char* role : {"q", "k", "v"})
            qwen.linear(std::string("layers.0.") + role, role, 0, 8, 8, 16);
        qwen.norm("layers.0.q_norm", 0, 8, 16);
        qwen.norm("layers.0.k_norm", 0, 8, 16);
        qwen.attention("layers.0.attention", 0, 8, 16, 16, "exact");
        qwen.linear("layers.0.o", "o", 0, 8, 8, 16);
        qwen.norm("layers.0.norm2", 0, 8, 16); // and nothing after it
        const auto pre = layout(*qwen.finish(false), ChainFolding::Expanded);
        QCOMPARE(pre.columns[0].arcs.size(), std::size_t(1));
        // q, k and v stand side by side.
        QCOMPARE(pre.boxes[2].rect.top(), pre.boxes[3].rect.top());
        QCOMPARE(pre.boxes[2].rect.top(), pre.boxes[4].rect.top());
        QVERIFY(pre.boxes[2].rect.right() < pre.boxes[3].rect.left());
        QVERIFY(pre.boxes[5].rect.top() > pre.boxes[4].rect.bottom());
    }

    void likeBlocksStandAsOne()
    {
        const auto whole = layout(*sample::vit20(), ChainFolding::Repeated);
        QCOMPARE(whole.columns.size(), std::size_t(3)); // patch, blocks 0-5, norm and head
        QVERIFY(whole.columns[1].repeated);
        QCOMPARE(whole.columns[1].lastBlock, 5);
        for (const auto& box : whole.boxes)
            if (box.column == 1 && box.kind == Kind::Layer)
                QCOMPARE(box.layers.size(), std::size_t(6));
        const auto plan = layout(*sample::vit20(40), ChainFolding::Repeated); // blocks 2 to 5 are compressed
        QCOMPARE(plan.columns.size(), std::size_t(4));
        QCOMPARE(plan.columns[1].lastBlock, 1);
        QCOMPARE(plan.columns[2].firstBlock, 2);
        QCOMPARE(layout(*sample::llama(), ChainFolding::Repeated).columns.size(), std::size_t(3));
        // Swin: each stage's blocks, with the merges between them.
        const auto swin = layout(*sample::swin(), ChainFolding::Repeated);
        QCOMPARE(swin.columns.size(), std::size_t(9));
        QCOMPARE(swin.columns[5].lastBlock - swin.columns[5].firstBlock, 5);
        // Unfolded by hand: every block for itself, and they fold back together.
        const auto open = layout(*sample::vit20(), ChainFolding::Repeated, {0});
        QCOMPARE(open.columns.size(), std::size_t(8));
        QCOMPARE(open.columns[4].runStart, 0);
    }

    void clickingSelects()
    {
        QSignalSpy selected(m_chain.get(), &LayerChain::selectionChanged);
        click(spot(boxOf("blocks.1.mlp.fc1")));
        QCOMPARE(selected.size(), 1);
        QCOMPARE(selected[0][0].toStringList(), QStringList{"blocks.1.mlp.fc1"});
        click(spot(boxOf("blocks.0.attention")), Qt::ControlModifier);
        QCOMPARE(m_chain->selection(), (QStringList{"blocks.0.attention", "blocks.1.mlp.fc1"}));
        click(spot(boxOf("blocks.1.mlp.fc1")), Qt::ControlModifier);
        QCOMPARE(m_chain->selection(), QStringList{"blocks.0.attention"});
        click(spot(boxOf("blocks.0.attention"))); // again: nothing new to tell
        QCOMPARE(selected.size(), 3);
        click(spot(headOf(3)));
        QCOMPARE(m_chain->selection().size(), 8);
        QVERIFY(m_chain->selection().contains("blocks.3.norm2"));
        QTest::keyClick(m_chain.get(), Qt::Key_Escape);
        QVERIFY(m_chain->selection().isEmpty());
    }

    void aSelectionFromElsewhereIsQuietAndScrolledTo()
    {
        m_chain->resize(500, 320);
        QSignalSpy selected(m_chain.get(), &LayerChain::selectionChanged);
        m_chain->setSelection({"blocks.5.attn.qkv", "not there"});
        QCOMPARE(selected.size(), 0);
        QVERIFY(m_chain->horizontalScrollBar()->value() > 0);
        QVERIFY(QRectF(m_chain->viewport()->rect()).contains(m_chain->boxOnScreen(boxOf("blocks.5.attn.qkv"))));
        QCOMPARE(m_chain->selection(), QStringList{"blocks.5.attn.qkv"});
        QVERIFY(m_chain->accessibleDescription().startsWith("blocks.5.attn.qkv"));
        m_chain->setReport(sample::vit20(20)); // another plan: the layer is still there
        QCOMPARE(m_chain->selection(), QStringList{"blocks.5.attn.qkv"});
        m_chain->setReport(sample::llama());
        QVERIFY(m_chain->selection().isEmpty());
    }

    void foldingByHand()
    {
        QSignalSpy folded(m_chain.get(), &LayerChain::foldingChanged), selected(m_chain.get(), &LayerChain::selectionChanged);
        click(triangle(2));
        QCOMPARE(folded.size(), 1);
        QCOMPARE(selected.size(), 0);
        QCOMPARE(boxOf("blocks.2.attn.qkv"), -1);
        QVERIFY(boxOf("blocks.3.attn.qkv") > 0);
        const auto& column = m_chain->chainLayout().columns[3];
        QVERIFY(column.folded && column.firstBlock == 2);
        QTest::keyClick(m_chain.get(), Qt::Key_Return); // the head is current
        QCOMPARE(folded.size(), 2);
        QVERIFY(boxOf("blocks.2.attn.qkv") > 0);
        m_chain->setFolding(ChainFolding::Folded);
        QCOMPARE(boxOf("blocks.2.attn.qkv"), -1);
        click(spot(headOf(0) + 1)); // the block's box
        QCOMPARE(m_chain->selection().size(), 8);
        QTest::mouseDClick(m_chain->viewport(), Qt::LeftButton, {}, spot(headOf(4) + 1));
        QVERIFY(boxOf("blocks.4.attn.qkv") > 0);
    }

    void repeatedBlocksAreSelectedTogether()
    {
        m_chain->setReport(sample::vit20());
        m_chain->setFolding(ChainFolding::Repeated);
        click(spot(boxOf("blocks.0.attn.qkv")));
        QCOMPARE(m_chain->selection().size(), 6);
        QVERIFY(m_chain->boxText(boxOf("blocks.0.attn.qkv")).contains(QStringLiteral("× 6")));
        click(triangle(0));
        QVERIFY(boxOf("blocks.5.attn.qkv") > 0);
        QCOMPARE(m_chain->selection().size(), 6);
        click(triangle(3)); // any of the run folds them back
        QCOMPARE(boxOf("blocks.5.attn.qkv"), -1);
    }

    void arrowsWalk()
    {
        QTest::keyClick(m_chain.get(), Qt::Key_Home);
        QCOMPARE(m_chain->selection(), QStringList{"patch_embed.proj"});
        QTest::keyClick(m_chain.get(), Qt::Key_Right);
        QTest::keyClick(m_chain.get(), Qt::Key_Down);
        QVERIFY(m_chain->selection().first().startsWith("blocks.0."));
        const QString here = m_chain->selection().first();
        QTest::keyClick(m_chain.get(), Qt::Key_Right); // the same place in the next block
        QCOMPARE(m_chain->selection(), QStringList{QString(here).replace("blocks.0", "blocks.1")});
        QTest::keyClick(m_chain.get(), Qt::Key_Left);
        QCOMPARE(m_chain->selection(), QStringList{here});
        QTest::keyClick(m_chain.get(), Qt::Key_Down, Qt::ShiftModifier);
        QCOMPARE(m_chain->selection().size(), 2);
        QTest::keyClick(m_chain.get(), Qt::Key_End);
        QCOMPARE(m_chain->selection(), QStringList{"head"});
        QTest::keyClick(m_chain.get(), Qt::Key_Down); // an end
        QCOMPARE(m_chain->selection(), QStringList{"head"});
    }

    void theWheelZoomsAboutThePointer()
    {
        m_chain->resize(700, 260);
        const int box = boxOf("blocks.2.mlp.fc1");
        m_chain->horizontalScrollBar()->setValue(m_chain->horizontalScrollBar()->maximum() / 2);
        const QPointF at = m_chain->boxOnScreen(box).center();
        const double before = m_chain->zoom();
        wheel(at, 240);
        QCOMPARE(m_chain->zoom(), before * std::pow(1.15, 2));
        const QPointF moved = m_chain->boxOnScreen(box).center() - at;
        QVERIFY2(std::hypot(moved.x(), moved.y()) < 2.5, qPrintable(QString::number(moved.x()) + ' ' + QString::number(moved.y()))); // whole pixels
        const int scrolled = m_chain->horizontalScrollBar()->value();
        wheel(at, -120, Qt::ShiftModifier);
        QCOMPARE(m_chain->horizontalScrollBar()->value(), scrolled + 120);
        QTest::keyClick(m_chain.get(), Qt::Key_Minus);
        QVERIFY(m_chain->zoom() < before * std::pow(1.15, 2));
        for (int i = 0; i < 60; ++i)
            wheel(at, -120);
        QCOMPARE(m_chain->zoom(), 0.25);
        QTest::keyClick(m_chain.get(), Qt::Key_0);
        QCOMPARE(m_chain->zoom(), before);
    }

    void theChainFitsWhateverTheSize_data()
    {
        QTest::addColumn<QSize>("size");
        for (const QSize size : {QSize(1300, 320), QSize(1000, 200), QSize(1400, 240), QSize(980, 210), QSize(2000, 300)})
            QTest::addRow("%d x %d", size.width(), size.height()) << size;
    }
    void theChainFitsWhateverTheSize()
    {
        QFETCH(QSize, size);
        for (const QSize from : {QSize(600, 500), QSize(1800, 180)}) {
            m_chain->resize(from);
            QTest::qWait(5);
            m_chain->resize(size);
            QTest::qWait(5);
            QCOMPARE(m_chain->verticalScrollBar()->maximum(), 0); // tall enough for the least zoom
            // Across it scrolls only where the whole would be much smaller than what the height allows.
            const QSizeF whole = m_chain->chainLayout().size;
            const double byHeight = size.height() / whole.height(), byWidth = size.width() / whole.width();
            if (std::min(byHeight, byWidth) > 0.9 * byHeight)
                QCOMPARE(m_chain->horizontalScrollBar()->maximum(), 0);
        }
    }

    void draggingTheGroundMoves()
    {
        m_chain->resize(500, 320);
        auto* bar = m_chain->horizontalScrollBar();
        bar->setValue(200);
        QPoint ground(-1, -1);
        for (int x = 4; x < 496 && ground.x() < 0; ++x)
            if (m_chain->chainLayout().boxAt((QPointF(x, 3) - m_chain->boxOnScreen(0).topLeft()) / m_chain->zoom() + m_chain->chainLayout().boxes[0].rect.topLeft()) < 0)
                ground = QPoint(x, 3);
        QTest::mousePress(m_chain->viewport(), Qt::LeftButton, {}, ground);
        QTest::mouseMove(m_chain->viewport(), ground - QPoint(60, 0));
        QTest::mouseRelease(m_chain->viewport(), Qt::LeftButton, {}, ground - QPoint(60, 0));
        QCOMPARE(bar->value(), 260);
        QVERIFY(m_chain->selection().isEmpty());
    }

    void barsFollowTheMeasure()
    {
        const auto report = sample::vit20(40);
        for (const LayerMeasure measure : kLayerMeasures) {
            m_chain->setMeasure(measure);
            for (const auto& l : report->layers)
                QCOMPARE(m_chain->boxValue(boxOf(QString::fromStdString(l.name))), measureOf(l, measure));
        }
        m_chain->setMeasure(LayerMeasure::Parameters);
        double sum = 0;
        for (const auto& l : report->layers)
            if (l.block == 0)
                sum += static_cast<double>(l.parameters);
        QCOMPARE(m_chain->boxValue(headOf(0)), sum);
        m_chain->setReport(sample::llama()); // nothing measured
        m_chain->setMeasure(LayerMeasure::MeasuredMs);
        QVERIFY(std::isnan(m_chain->boxValue(headOf(0))));
    }

    void replacedOperatorsAreMarked()
    {
        // The stripe on the left edge of the box: present where the plan replaced the operator, and only there.
        const auto stripe = [&](const char* name) {
            const QRectF box = m_chain->boxOnScreen(boxOf(name));
            const QImage picture = m_chain->viewport()->grab().toImage();
            const double ratio = picture.devicePixelRatio();
            return picture.pixelColor(static_cast<int>((box.left() + 2.2) * ratio), static_cast<int>(box.center().y() * ratio)).rgb();
        };
        const QRgb mark = Theme::instance().color(Ink::HeldOut).rgb();
        QCOMPARE(stripe("blocks.2.attn.qkv"), mark);
        QVERIFY(stripe("blocks.1.attn.qkv") != mark);
        QVERIFY(stripe("blocks.2.attn.proj") != mark);
        QVERIFY(m_chain->boxText(boxOf("blocks.2.attn.qkv")).contains("factors, rank 40"));
        QVERIFY(m_chain->boxText(headOf(2)).contains("Replaced operators: 3"));
    }

    void emptyStateSaysSo()
    {
        m_chain->setReport(nullptr);
        QVERIFY(m_chain->chainLayout().boxes.empty());
        QVERIFY(m_chain->selection().isEmpty());
        const QImage empty = m_chain->viewport()->grab().toImage();
        m_chain->setEmptyText({});
        QVERIFY(empty != m_chain->viewport()->grab().toImage()); // words stood there
        QTest::keyClick(m_chain.get(), Qt::Key_Right);
        QTest::keyClick(m_chain.get(), Qt::Key_End);
        click(QPoint(20, 20));
    }

    void figure()
    {
        const QStringList rows = m_chain->figureCsv().trimmed().split('\n');
        QCOMPARE(rows.size(), 1 + static_cast<int>(sample::vit20()->layers.size()));
        QVERIFY(rows[2].startsWith("blocks.0.norm1,norm,,0,0,65 × 128,65 × 128,256,0,"));
        QCOMPARE(m_chain->figureSize(), m_chain->chainLayout().size.toSize());
    }

    void pictures()
    {
        const QString folder = qEnvironmentVariable("TAMIS_SHOTS");
        for (const auto mode : {Theme::Mode::Light, Theme::Mode::Dark}) {
            Theme::instance().apply(*qApp, mode);
            const QString suffix = mode == Theme::Mode::Dark ? "dark" : "light";
            int which = 0;
            for (const auto& report : {sample::vit20(40), sample::llama(), sample::swin()})
                for (const auto folding : {ChainFolding::Expanded, ChainFolding::Folded, ChainFolding::Repeated}) {
                    m_chain->setReport(report);
                    m_chain->setFolding(folding);
                    m_chain->fitZoom();
                    m_chain->setSelection({QString::fromStdString(report->layers[2].name)});
                    const QImage picture = m_chain->grab().toImage();
                    QVERIFY(mode == Theme::Mode::Dark ? picture.pixelColor(3, 3).lightness() < 80 : picture.pixelColor(3, 3).lightness() > 200);
                    if (!folder.isEmpty())
                        QVERIFY(picture.save(QDir(folder).filePath(QStringLiteral("chain-%1-%2-%3x.png").arg(which).arg(suffix).arg(picture.devicePixelRatio()))));
                    ++which;
                }
        }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }
};

QTEST_MAIN(TstLayerChain)
#include "tst_layer_chain.moc"
