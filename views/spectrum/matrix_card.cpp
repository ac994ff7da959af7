// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/spectrum/matrix_card.h"

#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QGridLayout>
#include <QLabel>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kAccountings = 3, kFigures = 4;

QString accountingTitle(int row)
{
    const QString titles[kAccountings] = {MatrixCard::tr("Factors"), MatrixCard::tr("Block identity"), MatrixCard::tr("Remapped")};
    return titles[row];
}

QLabel* plainLabel(QWidget* parent, const QString& name = {})
{
    auto* label = new QLabel(parent);
    label->setObjectName(name);
    label->setTextFormat(Qt::PlainText);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

QString factLines(const report::MatrixSpectrum& m)
{
    QStringList lines;
    if (!m.singularValues.empty()) {
        lines << MatrixCard::tr("Stable rank %1, effective rank %2").arg(QString::number(m.stableRank, 'f', 1), QString::number(m.effectiveRank, 'f', 1));
        lines << MatrixCard::tr("Condition %1, tail exponent %2").arg(formatNumber(m.condition, 3), formatNumber(m.tailExponent, 3));
    }
    if (m.tokens > 0) {
        lines << MatrixCard::tr("Calibrated on %1 tokens").arg(formatCount(static_cast<double>(m.tokens)));
        lines << MatrixCard::tr("Rank %1 of %2, condition %3").arg(m.calibrationRank).arg(m.cols).arg(formatNumber(m.calibrationCondition, 3));
        lines << MatrixCard::tr("Ridge %1").arg(formatNumber(m.ridge, 3));
    }
    if (m.heldOutTokens > 0)
        lines << MatrixCard::tr("Held out: %1 rows").arg(m.heldOutTokens);
    if (m.preview)
        lines << MatrixCard::tr("Preview: %1 values, error at most %2 of the largest").arg(m.singularValues.size()).arg(formatNumber(m.previewError, 2));
    return lines.join(QLatin1Char('\n'));
}

QString warningLines(const report::MatrixSpectrum& m)
{
    QStringList lines;
    if (m.nanCount + m.infiniteCount > 0)
        lines << MatrixCard::tr("The weights hold %1 NaN and %2 infinite values.").arg(m.nanCount).arg(m.infiniteCount);
    for (const auto& warning : m.warnings)
        lines << QString::fromStdString(warning);
    return lines.join(QLatin1Char('\n'));
}
} // namespace

MatrixCard::MatrixCard(QWidget* parent) : QFrame(parent)
{
    setObjectName(QStringLiteral("matrixCard"));
    setAccessibleName(tr("Current matrix"));
    m_title = plainLabel(this, QStringLiteral("cardTitle"));
    m_title->setWordWrap(true);
    m_shape = plainLabel(this, QStringLiteral("cardShape"));
    m_choice = plainLabel(this, QStringLiteral("cardChoice"));
    m_choice->setWordWrap(true);
    m_facts = plainLabel(this, QStringLiteral("cardFacts"));
    m_facts->setWordWrap(true);
    m_warnings = plainLabel(this, QStringLiteral("cardWarnings"));
    m_warnings->setWordWrap(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing / 2);
    column->addWidget(m_title);
    column->addWidget(m_shape);
    column->addWidget(m_choice);
    auto* grid = new QGridLayout;
    buildAccountings(grid);
    column->addSpacing(Theme::kSpacing / 2);
    column->addLayout(grid);
    column->addSpacing(Theme::kSpacing / 2);
    column->addWidget(m_facts);
    column->addWidget(m_warnings);
    column->addStretch(1);
    connect(&Theme::instance(), &Theme::changed, this, &MatrixCard::restyle);
    restyle();
    setMatrix(nullptr, nullptr);
}

void MatrixCard::buildAccountings(QGridLayout* grid)
{
    grid->setHorizontalSpacing(Theme::kSpacing);
    grid->setVerticalSpacing(2);
    const QString heads[kFigures] = {tr("rank"), tr("param."), tr("bytes"), tr("MACs")};
    const QFont small = Theme::smallFont(font());
    auto* same = plainLabel(this);
    same->setText(tr("Same keep"));
    same->setToolTip(tr("The same keep buys another rank in each accounting"));
    same->setFont(small);
    same->setProperty("muted", true);
    grid->addWidget(same, 0, 0);
    for (int f = 0; f < kFigures; ++f) {
        auto* head = plainLabel(this);
        head->setText(heads[f]);
        head->setFont(small);
        head->setProperty("muted", true);
        grid->addWidget(head, 0, f + 1, Qt::AlignRight);
    }
    for (int a = 0; a < kAccountings; ++a) {
        auto* title = plainLabel(this);
        title->setText(accountingTitle(a));
        grid->addWidget(title, a + 1, 0);
        for (int f = 0; f < kFigures; ++f) {
            m_cells[a][f] = plainLabel(this, QStringLiteral("card-%1-%2").arg(a).arg(f));
            m_cells[a][f]->setAlignment(Qt::AlignRight);
            m_cells[a][f]->setFont(Theme::numberFont(font()));
            grid->addWidget(m_cells[a][f], a + 1, f + 1);
        }
    }
    grid->setColumnStretch(0, 1);
}

void MatrixCard::showAccountings(const report::MatrixBudget* budget)
{
    for (int a = 0; a < kAccountings; ++a) {
        const auto* choice = budget ? &budget->sameKeep[static_cast<std::size_t>(a)] : nullptr;
        const bool known = choice && !choice->accounting.empty();
        const QString dash = formatNumber(NAN);
        m_cells[a][0]->setText(known ? QString::number(choice->rank) : dash);
        m_cells[a][1]->setText(known ? formatCount(static_cast<double>(choice->cost.parameters)) : dash);
        m_cells[a][2]->setText(known ? formatBytes(static_cast<double>(choice->cost.bytes)) : dash);
        m_cells[a][3]->setText(known ? formatCount(static_cast<double>(choice->cost.macs)) : dash);
    }
}

void MatrixCard::setMatrix(const report::MatrixSpectrum* spectrum, const report::MatrixBudget* budget)
{
    showAccountings(spectrum ? budget : nullptr);
    if (!spectrum) {
        m_title->setText(tr("No matrix selected"));
        for (auto* label : {m_shape, m_choice, m_facts, m_warnings})
            label->clear();
        m_warnings->hide();
        return;
    }
    const auto& m = *spectrum;
    m_title->setText(QString::fromStdString(m.name));
    m_shape->setText(tr("%1 × %2, %3, %4").arg(m.rows).arg(m.cols).arg(QString::fromStdString(m.role), QString::fromStdString(m.dtype)));
    if (!budget)
        m_choice->setText(tr("No budget yet"));
    else if (budget->dense)
        m_choice->setText(m.compressible ? tr("Stays dense") : tr("Stays dense: not a linear operator"));
    else
        m_choice->setText(tr("Rank %1 of %2, keep %3, loss %4").arg(budget->rank).arg(std::min(m.rows, m.cols))
                              .arg(formatPercent(budget->keep), formatPercent(budget->relativeLoss, 2)));
    m_facts->setText(factLines(m));
    const QString warnings = warningLines(m);
    m_warnings->setText(warnings);
    m_warnings->setVisible(!warnings.isEmpty());
}

void MatrixCard::restyle()
{
    m_title->setFont(Theme::headingFont(font()));
    setFrameShape(QFrame::StyledPanel);
    const auto inked = [](QWidget* widget, Ink ink) {
        QPalette palette = widget->palette();
        palette.setColor(QPalette::WindowText, Theme::instance().color(ink));
        widget->setPalette(palette);
    };
    inked(m_shape, Ink::MutedText);
    inked(m_facts, Ink::MutedText);
    inked(m_warnings, Ink::Warning);
    for (auto* label : findChildren<QLabel*>())
        if (label->property("muted").toBool())
            inked(label, Ink::MutedText);
}

} // namespace tamis::views
