// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/token_page.h"

#include "views/common/figure_export.h"
#include "views/common/ink.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/encoder/coarse_exact_view.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QSlider>
#include <QSpinBox>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {

TokenPage::TokenPage(QWidget* parent)
    : QWidget(parent), m_number(new QSpinBox(this)), m_slider(new QSlider(Qt::Horizontal, this)), m_of(mutedLabel(this, QStringLiteral("tokenCount"))),
      m_certificate(mutedLabel(this, QStringLiteral("tokenCertificate"))),
      m_worst(new QPushButton(tr("Worst token"), this)), m_view(new CoarseExactView(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    auto* title = new QLabel(tr("&Token"), this);
    title->setBuddy(m_number);
    m_number->setObjectName(QStringLiteral("tokenNumber"));
    m_number->setAccessibleName(tr("Token"));
    m_number->setKeyboardTracking(false);
    m_slider->setObjectName(QStringLiteral("tokenSlider"));
    m_slider->setAccessibleName(tr("Token"));
    m_worst->setObjectName(QStringLiteral("worstToken"));
    auto* exports = new ExportButton(this);
    exports->setObjectName(QStringLiteral("exportToken"));
    exports->copyFrom(*m_view);
    row->addWidget(title);
    row->addWidget(m_number);
    row->addWidget(m_of);
    row->addWidget(m_slider, 1);
    row->addWidget(m_certificate);
    row->addWidget(m_worst);
    row->addWidget(exports);
    column->addLayout(row);
    column->addWidget(m_view, 1);
    connect(m_number, &QSpinBox::valueChanged, this, [this](int token) { choose(token); });
    connect(m_slider, &QSlider::valueChanged, this, [this](int token) { choose(token); });
    connect(m_worst, &QPushButton::clicked, this, [this] { choose(m_worstToken); });
    connect(m_view, &CoarseExactView::cutMoved, this, &TokenPage::cutMoved);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_view, format, QStringLiteral("token")); });
    setTokens(0);
    setWorst(-1, 0);
    setCertificate({});
}

void TokenPage::setTokens(std::int64_t count)
{
    const QScopedValueRollback quiet(m_quiet, true);
    const int last = static_cast<int>(std::max<std::int64_t>(count - 1, 0));
    m_number->setRange(0, last);
    m_slider->setRange(0, last);
    m_slider->setPageStep(std::max(last / 20, 1));
    m_of->setText(tr("of %1").arg(count));
    for (QWidget* control : {static_cast<QWidget*>(m_number), static_cast<QWidget*>(m_slider)})
        control->setEnabled(count > 1);
}

void TokenPage::setToken(std::int64_t token)
{
    const QScopedValueRollback quiet(m_quiet, true);
    m_number->setValue(static_cast<int>(token));
    m_slider->setValue(static_cast<int>(token));
}

std::int64_t TokenPage::token() const { return m_number->value(); }

void TokenPage::choose(std::int64_t token)
{
    if (m_quiet || token < 0)
        return;
    setToken(token);
    emit tokenChosen(token);
}

void TokenPage::setWorst(std::int64_t token, double recall)
{
    m_worstToken = token;
    m_worst->setEnabled(token >= 0);
    m_worst->setToolTip(token < 0 ? tr("No token lost a latent") : tr("Token %1, of whose exact set %2 was found").arg(token).arg(formatPercent(recall)));
}

void TokenPage::setCertificate(const QString& text)
{
    m_certificate->setText(text);
    m_certificate->setVisible(!text.isEmpty());
}

void TokenPage::setRanking(std::shared_ptr<const report::TokenRanking> ranking) { m_view->setRanking(std::move(ranking)); }
void TokenPage::setCut(std::int64_t cut) { m_view->setCut(cut); }
void TokenPage::setStale(bool stale) { m_view->setStale(stale); }
void TokenPage::setCaption(const QString& settings) { m_view->setCaption(settings); }

} // namespace tamis::views
