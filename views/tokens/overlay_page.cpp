// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/overlay_page.h"

#include "views/common/class_bars.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/theme.h"
#include "views/tokens/token_overlay_view.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QMenu>
#include <QSignalBlocker>
#include <QSlider>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
const std::vector<report::ClassProbability> kNoClasses;
} // namespace

OverlayPage::OverlayPage(QWidget* parent) : QWidget(parent), m_other(new TokenOverlayView(this)), m_reduced(new TokenOverlayView(this)), m_classes(new ClassBars(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    buildControls(column);
    buildViews(column);
    setPinned({}, {});
    showBeside();
    showDepth();
}

void OverlayPage::buildControls(QBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    m_shade = labelledCombo(this, row, tr("&Show"), QStringLiteral("tokenShade"), tr("What is laid over the photo"));
    m_shade->addItem(tr("tokens"), static_cast<int>(TokenShade::Tokens));
    m_shade->addItem(tr("scores"), static_cast<int>(TokenShade::Scores));
    m_shade->addItem(tr("features on the grid"), static_cast<int>(TokenShade::Unmerged));
    m_shade->setItemData(2, tr("What the tokens hold at the end, spread back to the patches: how far it is from the whole model's"), Qt::ToolTipRole);
    m_shade->addItem(tr("outlines"), static_cast<int>(TokenShade::Photo));
    m_besideChoice = labelledCombo(this, row, tr("&Beside"), QStringLiteral("tokenBeside"), tr("What stands beside the reduced photo"));
    m_besideChoice->addItem(tr("the whole model"), static_cast<int>(Beside::Whole));
    m_besideChoice->addItem(tr("pinned settings"), static_cast<int>(Beside::Pinned));
    m_besideChoice->addItem(tr("nothing"), static_cast<int>(Beside::Nothing));
    m_pin = new QToolButton(this);
    m_pin->setObjectName(QStringLiteral("pinTokens"));
    m_pin->setText(tr("Pin"));
    m_pin->setIcon(themedIcon(QStringLiteral("bookmark")));
    m_pin->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_pin->setToolTip(tr("Keep the present method and settings beside those that you choose next"));
    row->addWidget(m_pin);
    auto* title = new QLabel(tr("&Depth"), this);
    m_depth = new QSlider(Qt::Horizontal, this);
    m_depth->setObjectName(QStringLiteral("tokenDepth"));
    m_depth->setAccessibleName(tr("Depth: behind which block the tokens are shown"));
    m_depth->setToolTip(tr("Walks through the blocks; Page Up and Page Down on a photo do, too"));
    m_depth->setPageStep(1);
    m_depth->setTickPosition(QSlider::TicksBelow);
    m_depth->setMinimumWidth(120);
    title->setBuddy(m_depth);
    m_depthText = mutedLabel(this, QStringLiteral("tokenDepthText"));
    m_depthText->setMinimumWidth(QFontMetrics(font()).horizontalAdvance(tr("before the first block") + QStringLiteral("xx")));
    row->addSpacing(Theme::kSpacing);
    row->addWidget(title);
    row->addWidget(m_depth, 1);
    row->addWidget(m_depthText);
    buildExports(row);
    column->addLayout(row);
    connect(m_shade, &QComboBox::currentIndexChanged, this, [this] {
        setShade(shade());
        emit shadeChanged(shade());
    });
    connect(m_besideChoice, &QComboBox::activated, this, [this] {
        setBeside(static_cast<Beside>(m_besideChoice->currentData().toInt()));
        emit besideChanged(m_beside);
    });
    connect(m_pin, &QToolButton::clicked, this, &OverlayPage::pinRequested);
    connect(m_depth, &QSlider::valueChanged, this, &OverlayPage::changeDepth);
}

void OverlayPage::buildExports(QBoxLayout* row)
{
    auto* exports = new ExportButton(this);
    exports->setObjectName(QStringLiteral("exportTokens"));
    exports->copyFrom(*m_reduced);
    auto* json = exports->menu()->addAction(tr("Save kept tokens as JSON…"), this, &OverlayPage::jsonRequested);
    json->setObjectName(QStringLiteral("export-json"));
    auto* classes = exports->menu()->addAction(tr("Save classes as CSV…"), this, [this] { emit exportRequested(m_classes, FigureFormat::Csv, QStringLiteral("classes")); });
    classes->setObjectName(QStringLiteral("export-classes"));
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_reduced, format, QStringLiteral("tokens")); });
    row->addWidget(exports);
}

void OverlayPage::buildViews(QBoxLayout* column)
{
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setObjectName(QStringLiteral("tokenSides"));
    split->setChildrenCollapsible(false);
    m_other->setObjectName(QStringLiteral("otherTokens"));
    m_other->setWishable(false);
    m_other->setTitle(tr("Whole model"));
    m_reduced->setObjectName(QStringLiteral("reducedTokens"));
    m_reduced->setTitle(tr("Reduced"));
    m_classes->setObjectName(QStringLiteral("tokenClasses"));
    split->addWidget(m_other);
    split->addWidget(m_reduced);
    split->addWidget(m_classes);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 3);
    split->setStretchFactor(2, 2);
    split->setSizes({420, 420, 280});
    column->addWidget(split, 1);
    link(m_other, m_reduced);
    link(m_reduced, m_other);
    connect(m_reduced, &TokenOverlayView::wishRequested, this, &OverlayPage::wishRequested);
}

void OverlayPage::link(TokenOverlayView* from, TokenOverlayView* to)
{
    connect(from, &TokenOverlayView::viewChanged, to, &TokenOverlayView::setView);
    const auto pointThere = [from, to](int patch) { to->setPointed(to->picture().patchAtThatOf(from->picture(), patch)); }; // their grids may differ
    connect(from, &TokenOverlayView::patchPointed, to, pointThere);
    connect(from, &TokenOverlayView::patchFocused, to, pointThere);
    connect(from, &TokenOverlayView::depthRequested, this, [this](int depth) { m_depth->setValue(depth); });
}

void OverlayPage::setReduced(const TokenPicture& picture, const QString& title)
{
    const int before = m_depth->maximum();
    m_reduced->setTitle(title.isEmpty() ? tr("Reduced") : title);
    m_reducedTitle = title;
    m_reduced->setPicture(picture);
    if (!picture.isEmpty() && picture.blocks() != before) { // another model: where it ends is what matters
        const QSignalBlocker quiet(m_depth);
        m_depth->setRange(0, picture.blocks());
        m_depth->setValue(picture.blocks());
    }
    m_reduced->setDepth(depth());
    m_other->setDepth(depth());
    m_depth->setEnabled(!picture.isEmpty());
    showDepth();
    showClasses();
}

void OverlayPage::setWhole(const TokenPicture& picture)
{
    m_whole = picture;
    showBeside();
}

void OverlayPage::setPinned(const TokenPicture& picture, const QString& title)
{
    m_pinned = picture;
    m_pinnedTitle = title;
    if (title.isEmpty() && m_beside == Beside::Pinned)
        m_beside = Beside::Whole;
    showBeside();
}

void OverlayPage::setBeside(Beside beside)
{
    m_beside = beside == Beside::Pinned && m_pinnedTitle.isEmpty() ? Beside::Whole : beside;
    showBeside();
}

void OverlayPage::showBeside()
{
    const QSignalBlocker quiet(m_besideChoice);
    m_besideChoice->setCurrentIndex(m_besideChoice->findData(static_cast<int>(m_beside)));
    m_besideChoice->setItemData(1, m_pinnedTitle.isEmpty() ? tr("Nothing is pinned") : m_pinnedTitle, Qt::ToolTipRole);
    m_other->setVisible(m_beside != Beside::Nothing);
    const bool pinned = m_beside == Beside::Pinned;
    m_other->setTitle(pinned ? m_pinnedTitle : tr("Whole model"));
    m_other->setPicture(pinned ? m_pinned : m_whole);
    m_other->setDepth(depth());
    showClasses();
}

void OverlayPage::showClasses()
{
    const auto& now = m_reduced->picture().overlay();
    const auto& pinned = m_pinned.overlay();
    const bool beside = m_beside == Beside::Pinned && pinned;
    m_classes->setSides(beside ? tr("pinned") : tr("whole"), tr("reduced"));
    m_classes->setClasses(!now ? kNoClasses : beside ? pinned->after : now->before, now ? now->after : kNoClasses);
    m_classes->setEmptyText(now ? tr("This model tells no classes.") : tr("The classes of the photo are shown here."));
}

void OverlayPage::setWishable(bool wishable, const QString& reason) { m_reduced->setWishable(wishable, reason); }
void OverlayPage::setWishes(const std::vector<report::TokenWish>& wishes) { m_reduced->setWishes(wishes); }

int OverlayPage::depth() const { return m_depth->value(); }

void OverlayPage::setDepth(int depth)
{
    const QSignalBlocker quiet(m_depth);
    m_depth->setValue(depth);
    m_reduced->setDepth(this->depth());
    m_other->setDepth(this->depth());
    showDepth();
}

void OverlayPage::changeDepth(int depth)
{
    setDepth(depth);
    emit depthChanged(this->depth());
}

void OverlayPage::showDepth()
{
    const int at = depth(), last = m_depth->maximum();
    m_depthText->setText(m_reduced->isEmpty() ? QString() : at == 0                           ? tr("before the first block")
                         : m_reduced->picture().wasRun(at) ? tr("behind block %1 of 0–%2").arg(at - 1).arg(last - 1)
                                                           : tr("block %1 of 0–%2 was not run").arg(at - 1).arg(last - 1));
}

TokenShade OverlayPage::shade() const { return static_cast<TokenShade>(m_shade->currentData().toInt()); }

void OverlayPage::setShade(TokenShade shade)
{
    const QSignalBlocker quiet(m_shade);
    m_shade->setCurrentIndex(m_shade->findData(static_cast<int>(shade)));
    m_reduced->setShade(shade);
    m_other->setShade(shade);
}

void OverlayPage::setStale(bool stale) { m_reduced->setStale(stale); }

void OverlayPage::setCaption(const QString& settings)
{
    m_reduced->setCaption(settings);
    m_classes->setCaption(settings);
}

void OverlayPage::setEmptyText(const QString& text)
{
    m_reduced->setEmptyText(text);
    m_other->setEmptyText(text);
}

} // namespace tamis::views
