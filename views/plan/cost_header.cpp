// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plan/cost_header.h"

#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLocale>
#include <QSignalBlocker>
#include <QSlider>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {
namespace {
constexpr int kStepsPerPercent = 10; ///< the slider moves in tenths of a percent
constexpr int kLowest = 1 * kStepsPerPercent, kHighest = 100 * kStepsPerPercent;
constexpr int kBadgeDelay = 150; ///< ms

QLabel* fixedLabel(QWidget* parent, const QString& name, const QString& widest, const QFont& font)
{
    auto* label = new QLabel(parent);
    label->setObjectName(name);
    label->setTextFormat(Qt::PlainText);
    label->setFont(font);
    label->setMinimumWidth(QFontMetrics(font).horizontalAdvance(widest) + 2);
    return label;
}

void ink(QWidget* widget, Ink which)
{
    QPalette palette = widget->palette();
    palette.setColor(QPalette::WindowText, Theme::instance().color(which));
    widget->setPalette(palette);
}
} // namespace

CostHeader::CostHeader(QWidget* parent) : QFrame(parent)
{
    setObjectName(QStringLiteral("costHeader"));
    setFrameShape(QFrame::StyledPanel);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kSpacing, Theme::kMargin, Theme::kSpacing);
    column->setSpacing(Theme::kSpacing);
    column->addWidget(buildFigures());
    column->addWidget(buildSettings());
    column->addWidget(buildAccountings());
    column->addWidget(buildTokens());
    m_column = column;
    m_staleTimer = new QTimer(this);
    m_staleTimer->setSingleShot(true);
    m_staleTimer->setInterval(kBadgeDelay);
    connect(m_staleTimer, &QTimer::timeout, this, [this] { m_stale->setText(tr("updating…")); });
    connect(&Theme::instance(), &Theme::changed, this, &CostHeader::restyle);
    restyle();
    showFigures();
}

CostHeader::Figure CostHeader::addFigure(QBoxLayout* row, const QString& title, const QString& name, const QString& widest,
                                         const QString& help)
{
    auto* cell = new QWidget(this);
    cell->setToolTip(help);
    auto* grid = new QGridLayout(cell);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(Theme::kSpacing);
    grid->setVerticalSpacing(0);
    const QFont heading = Theme::numberFont(Theme::headingFont(font())), small = Theme::numberFont(Theme::smallFont(font()));
    auto* head = new QLabel(title, cell);
    head->setFont(small);
    head->setProperty("muted", true);
    Figure figure;
    figure.after = fixedLabel(cell, name + QStringLiteral("After"), widest, heading);
    figure.change = fixedLabel(cell, name + QStringLiteral("Change"), QStringLiteral("−100.0\u202f%"), heading);
    figure.before = fixedLabel(cell, name + QStringLiteral("Before"), tr("before: %1").arg(widest), small);
    figure.before->setProperty("muted", true);
    grid->addWidget(head, 0, 0, 1, 2);
    grid->addWidget(figure.after, 1, 0);
    grid->addWidget(figure.change, 1, 1);
    grid->addWidget(figure.before, 2, 0, 1, 2);
    row->addWidget(cell);
    return figure;
}

QWidget* CostHeader::buildFigures()
{
    auto* box = new QWidget(this);
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(3 * Theme::kSpacing);
    m_parameters = addFigure(row, tr("Parameters"), QStringLiteral("parameters"), QStringLiteral("8.88\u202fM"), tr("Of the whole model"));
    m_bytes = addFigure(row, tr("Bytes"), QStringLiteral("bytes"), QStringLiteral("8.88\u202fMiB"), tr("Of the whole model, as stored"));
    m_macs = addFigure(row, tr("MACs a token"), QStringLiteral("macs"), QStringLiteral("8.88\u202fM"), tr("Linear operators only; 1 MAC = 2 FLOP"));
    m_latency = addFigure(row, tr("Latency"), QStringLiteral("latency"), QStringLiteral("8.88\u202fms"), tr("Measured on this machine, linear operators only"));
    m_loss = addFigure(row, tr("Mean relative loss"), QStringLiteral("loss"), QStringLiteral("88.88\u202f%"),
                       tr("Mean over the compressible matrices of loss over that of rank 0"));
    row->addStretch(1);
    m_stale = fixedLabel(box, QStringLiteral("costStale"), tr("updating…"), Theme::smallFont(font()));
    row->addWidget(m_stale, 0, Qt::AlignTop);
    return box;
}

void CostHeader::buildKeep(QBoxLayout* row)
{
    auto* label = new QLabel(tr("&Keep"), this);
    m_slider = new QSlider(Qt::Horizontal, this);
    m_slider->setObjectName(QStringLiteral("keepSlider"));
    m_slider->setRange(kLowest, kHighest);
    m_slider->setSingleStep(kStepsPerPercent / 2);
    m_slider->setPageStep(5 * kStepsPerPercent);
    m_slider->setMinimumWidth(180);
    m_slider->setValue(60 * kStepsPerPercent);
    m_slider->setAccessibleName(tr("Keep"));
    m_slider->setToolTip(tr("Fraction of the compressible matrices' parameters (bytes when remapped) that the model keeps"));
    m_spin = new QDoubleSpinBox(this);
    m_spin->setObjectName(QStringLiteral("keepSpin"));
    m_spin->setLocale(QLocale::c());
    m_spin->setDecimals(1);
    m_spin->setRange(1, 100);
    m_spin->setSingleStep(0.5);
    m_spin->setValue(60);
    m_spin->setSuffix(QStringLiteral("\u202f%"));
    m_spin->setAlignment(Qt::AlignRight);
    m_spin->setKeyboardTracking(false);
    m_spin->setAccessibleName(tr("Keep in percent"));
    label->setBuddy(m_spin);
    m_achieved = fixedLabel(this, QStringLiteral("achievedKeep"), tr("achieved %1").arg(QStringLiteral("100.0\u202f%")), Theme::numberFont(font()));
    m_achieved->setToolTip(tr("What the chosen ranks really keep; ranks are whole numbers"));
    row->addWidget(label);
    row->addWidget(m_slider, 1);
    row->addWidget(m_spin);
    row->addWidget(m_achieved);
    connect(m_slider, &QSlider::valueChanged, this, [this](int value) {
        const QSignalBlocker quiet(m_spin);
        m_spin->setValue(static_cast<double>(value) / kStepsPerPercent);
        emit keepEdited(keep(), !m_slider->isSliderDown());
    });
    connect(m_slider, &QSlider::sliderReleased, this, [this] { emit keepEdited(keep(), true); });
    connect(m_spin, &QDoubleSpinBox::valueChanged, this, [this](double percent) {
        const QSignalBlocker quiet(m_slider);
        m_slider->setValue(static_cast<int>(std::lround(percent * kStepsPerPercent)));
        emit keepEdited(keep(), true);
    });
}

QWidget* CostHeader::buildSettings()
{
    auto* box = new QWidget(this);
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    buildKeep(row);
    const auto combo = [&](const QString& name, const QString& title, const QString& help) {
        auto* label = new QLabel(title, box);
        auto* choices = new QComboBox(box);
        choices->setObjectName(name);
        choices->setAccessibleName(QString(title).remove(QLatin1Char('&')));
        choices->setToolTip(help);
        label->setBuddy(choices);
        row->addSpacing(Theme::kSpacing);
        row->addWidget(label);
        row->addWidget(choices);
        return choices;
    };
    m_allocation = combo(QStringLiteral("allocationCombo"), tr("&Allocation"), tr("How one keep becomes a rank for each matrix"));
    m_allocation->addItem(tr("uniform"), QStringLiteral("uniform"));
    m_allocation->addItem(tr("energy"), QStringLiteral("energy"));
    m_allocation->addItem(tr("greedy"), QStringLiteral("greedy"));
    m_allocation->addItem(tr("log loss"), QStringLiteral("log-loss"));
    m_allocation->addItem(tr("effective rank"), QStringLiteral("effective-rank"));
    m_allocation->addItem(tr("depth-weighted"), QStringLiteral("depth-weighted"));
    m_allocation->addItem(tr("sensitivity"), QStringLiteral("sensitivity"));
    m_allocation->addItem(tr("measured greedy"), QStringLiteral("measured-greedy"));
    m_allocation->addItem(tr("loss-aware"), QStringLiteral("loss-aware"));
    m_accounting = combo(QStringLiteral("accountingCombo"), tr("A&ccounting"), tr("How factors are stored, and so what a rank costs"));
    m_accounting->addItem(tr("factors"), QStringLiteral("factors"));
    m_accounting->addItem(tr("block identity"), QStringLiteral("block-identity"));
    m_accounting->addItem(tr("remapped"), QStringLiteral("remapped"));
    m_alignment = combo(QStringLiteral("alignmentCombo"), tr("A&lignment"), tr("Ranks are multiples of this"));
    for (const int alignment : {1, 8, 16, 32})
        m_alignment->addItem(QString::number(alignment), alignment);
    connect(m_allocation, &QComboBox::currentIndexChanged, this, [this] { emit allocationEdited(m_allocation->currentData().toString()); });
    connect(m_accounting, &QComboBox::currentIndexChanged, this, [this] { emit accountingEdited(m_accounting->currentData().toString()); });
    connect(m_alignment, &QComboBox::currentIndexChanged, this, [this] { emit alignmentEdited(m_alignment->currentData().toInt()); });
    return box;
}

QWidget* CostHeader::buildAccountings()
{
    auto* box = new QWidget(this);
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(2 * Theme::kSpacing);
    auto* title = new QLabel(tr("The same keep in"), box);
    title->setProperty("muted", true);
    title->setFont(Theme::smallFont(font()));
    title->setToolTip(tr("Compressible matrices only: what the same keep costs in each accounting"));
    row->addWidget(title);
    const QString widest = tr("%1: %2, %3, %4 MACs").arg(tr("block identity"), QStringLiteral("8.88\u202fM"),
                                                         QStringLiteral("8.88\u202fMiB"), QStringLiteral("8.88\u202fM"));
    for (std::size_t i = 0; i < m_sameKeep.size(); ++i) {
        m_sameKeep[i] = fixedLabel(box, QStringLiteral("sameKeep%1").arg(i), widest, Theme::numberFont(Theme::smallFont(font())));
        row->addWidget(m_sameKeep[i]);
    }
    row->addStretch(1);
    m_warning = new QLabel(box);
    m_warning->setObjectName(QStringLiteral("budgetWarning"));
    m_warning->setTextFormat(Qt::PlainText);
    m_warning->setFont(Theme::smallFont(font()));
    row->addWidget(m_warning);
    return box;
}

QWidget* CostHeader::partLine(const QString& name, const QString& title, const QString& help, ElidedLabel** text, QToolButton** remove)
{
    auto* line = new QWidget(this);
    line->setObjectName(name + QStringLiteral("Line"));
    auto* row = new QHBoxLayout(line);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    auto* heading = new QLabel(title, line);
    heading->setProperty("muted", true);
    heading->setFont(Theme::smallFont(font()));
    *text = new ElidedLabel(line, name + QStringLiteral("OfPlan"), Ink::Text);
    auto* button = new QToolButton(line);
    button->setIcon(themedIcon(QStringLiteral("remove")));
    button->setText(tr("Remove"));
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->setAutoRaise(true);
    button->setAccessibleName(help);
    button->setToolTip(tr("%1; its tab keeps it").arg(help));
    row->addWidget(heading);
    row->addWidget(*text, 1);
    row->addWidget(button);
    line->hide();
    *remove = button;
    return line;
}

QWidget* CostHeader::buildTokens()
{
    ElidedLabel* text = nullptr;
    QToolButton* remove = nullptr;
    m_tokensLine = partLine(QStringLiteral("tokens"), tr("Tokens"), tr("Take the token method out of the plan"), &text, &remove);
    m_tokens = text;
    remove->setObjectName(QStringLiteral("removeTokensOfPlan"));
    connect(remove, &QToolButton::clicked, this, &CostHeader::tokensRemoved);
    return m_tokensLine;
}

void CostHeader::setPart(const QString& part, const QString& title, const QString& text, const QString& help)
{
    if (text.isEmpty() && !m_parts.contains(part))
        return;
    Part& shown = m_parts[part];
    if (!shown.line) {
        QToolButton* remove = nullptr;
        shown.line = partLine(part, title, tr("Take this out of the plan"), &shown.text, &remove);
        remove->setObjectName(part + QStringLiteral("-removeOfPlan"));
        connect(remove, &QToolButton::clicked, this, [this, part] { emit partRemoved(part); });
        m_column->addWidget(shown.line);
    }
    shown.text->setText(text);
    shown.text->setToolTip(help.isEmpty() ? text : help);
    shown.line->setVisible(!text.isEmpty());
}

void CostHeader::setTokens(const QString& method, const QString& help)
{
    m_tokens->setText(method);
    m_tokens->setToolTip(help.isEmpty() ? method : help);
    m_tokensLine->setVisible(!method.isEmpty());
}

void CostHeader::setBudget(std::shared_ptr<const report::BudgetReport> budget)
{
    m_budget = std::move(budget);
    showFigures();
}

void CostHeader::showFigures()
{
    const auto* b = m_budget.get();
    const QString dash = formatNumber(NAN);
    const auto show = [&](Figure& figure, double before, double after, QString (*format)(double)) {
        figure.after->setText(b ? format(after) : dash);
        figure.before->setText(tr("before: %1").arg(b ? format(before) : dash));
        figure.change->setText(b ? formatChange(before, after) : dash);
    };
    const report::Cost none;
    const report::Cost &before = b ? b->before : none, &after = b ? b->after : none;
    show(m_parameters, static_cast<double>(before.parameters), static_cast<double>(after.parameters), formatCount);
    show(m_bytes, static_cast<double>(before.bytes), static_cast<double>(after.bytes), formatBytes);
    show(m_macs, static_cast<double>(before.macs), static_cast<double>(after.macs), formatCount);
    show(m_latency, before.latencyMs, after.latencyMs, formatMilliseconds);
    const bool measured = b && std::isfinite(after.latencyMs);
    if (!measured)
        m_latency.before->setText(tr("not measured"));
    m_loss.after->setText(b ? formatPercent(b->predictedRelativeLoss, 2) : dash);
    m_loss.change->clear();
    m_loss.before->setText(b ? tr("sum %1").arg(formatNumber(b->predictedLoss, 3)) : QString());
    m_achieved->setText(tr("achieved %1").arg(b ? formatPercent(b->achievedKeep) : dash));
    for (std::size_t i = 0; i < m_sameKeep.size(); ++i) {
        const auto* choice = b ? &b->sameKeepTotals[i] : nullptr;
        const QString name = m_accounting->itemText(static_cast<int>(i));
        m_sameKeep[i]->setText(tr("%1: %2, %3, %4 MACs").arg(name, choice ? formatCount(static_cast<double>(choice->cost.parameters)) : dash,
                                                            choice ? formatBytes(static_cast<double>(choice->cost.bytes)) : dash,
                                                            choice ? formatCount(static_cast<double>(choice->cost.macs)) : dash));
    }
    QStringList warnings;
    for (std::size_t i = 0; b && i < b->warnings.size(); ++i)
        warnings << QString::fromStdString(b->warnings[i]);
    m_warning->setText(warnings.isEmpty() ? QString() : warnings.size() == 1 ? tr("⚠ 1 note") : tr("⚠ %1 notes").arg(warnings.size()));
    m_warning->setToolTip(warnings.join(QLatin1Char('\n')));
}

void CostHeader::setSettings(double keep, const QString& allocation, const QString& accounting, int alignment)
{
    const QSignalBlocker a(m_slider), b(m_spin), c(m_allocation), d(m_accounting), e(m_alignment);
    if (!m_slider->isSliderDown()) // while the hand is on it, it says where it is
        m_slider->setValue(static_cast<int>(std::lround(keep * kHighest)));
    if (!m_spin->hasFocus() || std::abs(m_spin->value() / 100 - keep) > 5e-4)
        m_spin->setValue(keep * 100);
    const auto choose = [](QComboBox* box, const QVariant& value) {
        if (const int at = box->findData(value); at >= 0)
            box->setCurrentIndex(at);
    };
    choose(m_allocation, allocation);
    choose(m_accounting, accounting);
    choose(m_alignment, alignment);
}

void CostHeader::setStale(bool stale)
{
    if (stale && !m_staleTimer->isActive() && m_stale->text().isEmpty())
        m_staleTimer->start();
    if (!stale) {
        m_staleTimer->stop();
        m_stale->clear();
    }
}

double CostHeader::keep() const { return static_cast<double>(m_slider->value()) / kHighest; }

void CostHeader::restyle()
{
    for (auto* label : findChildren<QLabel*>())
        if (label->property("muted").toBool())
            ink(label, Ink::MutedText);
    for (auto* figure : {&m_parameters, &m_bytes, &m_macs, &m_latency})
        ink(figure->change, Ink::Accent);
    ink(m_loss.after, Ink::Loss);
    ink(m_stale, Ink::Stale);
    ink(m_warning, Ink::Warning);
    for (auto* label : m_sameKeep)
        ink(label, Ink::MutedText);
}

} // namespace tamis::views
