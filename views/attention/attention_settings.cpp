// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_settings.h"

#include "views/attention/sample_picker.h"
#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/theme.h"

#include <QAction>
#include <QComboBox>
#include <QFileInfo>
#include <QGridLayout>
#include <QListWidget>
#include <QPushButton>
#include <QSignalBlocker>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr int kBlocksARow = 8;
constexpr int kListHeight = 96; ///< of the choices, device-independent pixels
} // namespace

AttentionSettings::AttentionSettings(PhotoModel& photos, QWidget* parent)
    : MethodForm({.method = QStringLiteral("attentionMethod"), .reference = QStringLiteral("attentionReference"), .parameters = QStringLiteral("attentionMethodParameters"),
                  .train = QStringLiteral("trainAttention"), .trainHelp = {}},
                 parent)
{
    setObjectName(QStringLiteral("attentionSettings"));
    buildWeights();
    auto* title = new QLabel(tr("Set &for"), this);
    m_scope = new QComboBox(this);
    m_scope->setObjectName(QStringLiteral("attentionScope"));
    m_scope->setAccessibleName(tr("Set for"));
    m_scope->setToolTip(tr("What the method and its parameters below are chosen for"));
    m_scope->addItems({tr("all heads"), QString(), QString()});
    title->setBuddy(m_scope);
    column()->addWidget(title);
    column()->addWidget(m_scope);
    addMethod();
    buildBlocks();
    buildChoices();
    buildFitted();
    column()->addSpacing(Theme::kSpacing);
    m_samples = new SamplePicker(photos, {.title = QStringLiteral("labSampleTitle"), .open = QStringLiteral("openLabSamples"), .photos = QStringLiteral("labPhotos"), .texts = QStringLiteral("labTexts")}, this);
    column()->addWidget(m_samples, 1);
    column()->addStretch();
    connect(m_scope, &QComboBox::activated, this, [this] { emit scopeChosen(scope()); });
    setPlace(0, 0);
    setBlocks(0, {});
    setChoices({});
    setFitted({});
    setWeights(false, false);
}

void AttentionSettings::buildWeights()
{
    m_weightsRow = new QWidget(this);
    auto* row = new QVBoxLayout(m_weightsRow);
    row->setContentsMargins(0, 0, 0, 0);
    auto* title = new QLabel(tr("&Weights"), m_weightsRow);
    m_weights = new QComboBox(m_weightsRow);
    m_weights->setObjectName(QStringLiteral("attentionWeights"));
    m_weights->setAccessibleName(tr("Weights"));
    m_weights->setToolTip(tr("Whose maps, heads and comparisons are looked at: of the model as it was opened, or as it was trained around its attention. Its output is compared with the model as it was opened"));
    m_weights->addItems({tr("as they were opened"), tr("as they were trained")});
    title->setBuddy(m_weights);
    row->addWidget(title);
    row->addWidget(m_weights);
    column()->addWidget(m_weightsRow);
    connect(m_weights, &QComboBox::activated, this, [this](int index) { emit weightsChosen(index == 1); });
}

void AttentionSettings::setWeights(bool offered, bool trained)
{
    m_weightsRow->setVisible(offered);
    m_weights->setCurrentIndex(trained ? 1 : 0);
}

void AttentionSettings::buildBlocks()
{
    m_blocksBox = new QWidget(this);
    auto* rows = new QVBoxLayout(m_blocksBox);
    rows->setContentsMargins(0, 0, 0, 0);
    rows->setSpacing(Theme::kSpacing / 2);
    auto* head = new QHBoxLayout;
    head->addWidget(new QLabel(tr("In these blocks"), m_blocksBox), 1);
    m_all = new QPushButton(tr("All"), m_blocksBox);
    m_all->setObjectName(QStringLiteral("attentionAllBlocks"));
    m_all->setToolTip(tr("The method stands in all blocks"));
    head->addWidget(m_all);
    rows->addLayout(head);
    m_blocksGrid = new QGridLayout;
    m_blocksGrid->setSpacing(2);
    rows->addLayout(m_blocksGrid);
    column()->addWidget(m_blocksBox);
    connect(m_all, &QPushButton::clicked, this, [this] {
        for (QToolButton* each : m_blocks)
            each->setChecked(true);
        tellBlocks();
    });
}

void AttentionSettings::buildChoices()
{
    m_choicesTitle = mutedLabel(this, QStringLiteral("attentionChoicesTitle"));
    m_choicesTitle->setWordWrap(true);
    column()->addWidget(m_choicesTitle);
    m_choices = new QListWidget(this);
    m_choices->setObjectName(QStringLiteral("attentionChoices"));
    m_choices->setAccessibleName(tr("Choices for heads and blocks alone"));
    m_choices->setFrameShape(QFrame::NoFrame);
    m_choices->setMaximumHeight(kListHeight);
    m_choices->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_choices->setToolTip(tr("Enter or a double click shows the head; Delete forgets the choice"));
    column()->addWidget(m_choices);
    auto* row = new QHBoxLayout;
    m_forget = new QPushButton(tr("Forget"), this);
    m_forget->setObjectName(QStringLiteral("attentionForget"));
    m_forgetAll = new QPushButton(themedIcon(QStringLiteral("reset")), tr("Forget all"), this);
    m_forgetAll->setObjectName(QStringLiteral("attentionForgetAll"));
    row->addWidget(m_forget);
    row->addWidget(m_forgetAll);
    column()->addLayout(row);
    const auto chosen = [this]() -> const OwnChoice* {
        const int at = m_choices->currentRow();
        return at >= 0 && at < static_cast<int>(m_own.size()) ? &m_own[static_cast<std::size_t>(at)] : nullptr;
    };
    const auto forget = [this, chosen] {
        if (const OwnChoice* of = chosen())
            emit forgetRequested({of->layer, of->head});
    };
    auto* key = new QAction(tr("Forget this choice"), m_choices);
    key->setShortcut(QKeySequence::Delete);
    key->setShortcutContext(Qt::WidgetShortcut);
    m_choices->addAction(key);
    m_choices->setContextMenuPolicy(Qt::ActionsContextMenu);
    connect(key, &QAction::triggered, this, forget);
    connect(m_forget, &QPushButton::clicked, this, forget);
    connect(m_forgetAll, &QPushButton::clicked, this, &AttentionSettings::forgetAllRequested);
    connect(m_choices, &QListWidget::itemActivated, this, [this, chosen] {
        if (const OwnChoice* of = chosen())
            emit placeChosen(of->layer, static_cast<int>(std::max<std::int64_t>(of->head, 0)));
    });
    connect(m_choices, &QListWidget::currentRowChanged, this, [this](int at) { m_forget->setEnabled(at >= 0); });
}

void AttentionSettings::buildFitted()
{
    auto* row = new QHBoxLayout;
    auto* choose = new QPushButton(tr("F&itted to…"), this);
    choose->setObjectName(QStringLiteral("chooseAttentionFitted"));
    choose->setToolTip(tr("Samples whose first eight methods are fitted to, where a method is; other ones than are looked at"));
    m_fitted = new ElidedLabel(this, QStringLiteral("attentionFitted"), Ink::Text);
    m_fittedFirst = new QPushButton(themedIcon(QStringLiteral("reset")), {}, this);
    m_fittedFirst->setObjectName(QStringLiteral("forgetAttentionFitted"));
    m_fittedFirst->setAccessibleName(tr("Fit to the first samples"));
    m_fittedFirst->setToolTip(tr("Fit to the first of the samples that are open: those are then not scored"));
    row->addWidget(choose);
    row->addWidget(m_fitted, 1);
    row->addWidget(m_fittedFirst);
    column()->addLayout(row);
    connect(choose, &QPushButton::clicked, this, &AttentionSettings::fittedRequested);
    connect(m_fittedFirst, &QPushButton::clicked, this, &AttentionSettings::fittedForgotten);
}

void AttentionSettings::setFitted(const QString& path)
{
    m_fitted->setText(path.isEmpty() ? tr("the first samples") : QFileInfo(path).fileName());
    m_fitted->setToolTip(path);
    m_fittedFirst->setEnabled(!path.isEmpty());
}

void AttentionSettings::setPlace(int layer, std::int64_t head)
{
    m_scope->setItemText(1, tr("block %1 alone").arg(layer));
    m_scope->setItemText(2, tr("head %1 of block %2 alone").arg(head).arg(layer));
}

void AttentionSettings::setScope(AttentionScope scope) { m_scope->setCurrentIndex(static_cast<int>(scope)); }
AttentionScope AttentionSettings::scope() const { return static_cast<AttentionScope>(std::max(m_scope->currentIndex(), 0)); }

void AttentionSettings::setBlocks(int count, const std::optional<std::vector<int>>& chosen)
{
    if (count != m_blockCount) {
        m_blockCount = count;
        qDeleteAll(m_blocks);
        m_blocks.clear();
        for (int block = 0; block < count; ++block) {
            auto* made = new QToolButton(m_blocksBox);
            made->setObjectName(QStringLiteral("attentionBlock%1").arg(block));
            made->setText(QString::number(block));
            made->setCheckable(true);
            made->setAccessibleName(tr("Block %1").arg(block));
            made->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
            m_blocksGrid->addWidget(made, block / kBlocksARow, block % kBlocksARow);
            connect(made, &QToolButton::clicked, this, &AttentionSettings::tellBlocks);
            m_blocks.push_back(made);
        }
    }
    for (int block = 0; block < count; ++block) {
        const bool on = !chosen || std::ranges::find(*chosen, block) != chosen->end();
        auto* button = m_blocks[static_cast<std::size_t>(block)];
        button->setChecked(on);
        button->setToolTip(on ? tr("The method stands in block %1").arg(block) : tr("Block %1 is exact, but for choices of its own").arg(block));
    }
    m_all->setEnabled(chosen.has_value());
    m_blocksBox->setVisible(count > 0);
}

void AttentionSettings::tellBlocks()
{
    std::vector<int> chosen;
    for (int block = 0; block < m_blockCount; ++block)
        if (m_blocks[static_cast<std::size_t>(block)]->isChecked())
            chosen.push_back(block);
    emit blocksEdited(chosen);
}

void AttentionSettings::setChoices(const std::vector<OwnChoice>& own)
{
    const QSignalBlocker quiet(m_choices);
    const int before = m_choices->currentRow();
    m_own = own;
    m_choices->clear();
    for (const OwnChoice& each : own)
        m_choices->addItem(each.head < 0 ? tr("Layer %1: %2").arg(each.layer).arg(each.title) : tr("Layer %1, head %2: %3").arg(each.layer).arg(each.head).arg(each.title));
    for (int at = 0; at < m_choices->count(); ++at)
        m_choices->item(at)->setToolTip(m_choices->item(at)->text());
    m_choices->setCurrentRow(std::min(before, m_choices->count() - 1));
    m_choicesTitle->setText(own.empty() ? tr("No head or block has a choice of its own: the Heads page gives them one.") : tr("Choices of their own"));
    m_choices->setVisible(!own.empty());
    m_forget->setVisible(!own.empty());
    m_forgetAll->setVisible(!own.empty());
    m_forget->setEnabled(m_choices->currentRow() >= 0);
}

} // namespace tamis::views
