// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/token_source_box.h"

#include "views/common/ink.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStandardItemModel>
#include <QVBoxLayout>

namespace tamis::views {
namespace {
QLabel* wrapped(QWidget* parent, const char* name)
{
    auto* label = mutedLabel(parent, QLatin1String(name));
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

/// A title with its mnemonic over a combo box that takes the whole width beside a button.
QComboBox* choice(QWidget* parent, QVBoxLayout* column, QLabel*& title, const QString& words, const char* name, const QString& help, QPushButton** open)
{
    title = new QLabel(words, parent);
    column->addSpacing(Theme::kSpacing / 2);
    auto* box = new QComboBox(parent);
    box->setObjectName(QLatin1String(name));
    box->setToolTip(help);
    box->setAccessibleName(QString(words).remove(QLatin1Char('&')));
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(8);
    title->setBuddy(box);
    auto* row = new QHBoxLayout;
    row->addWidget(box, 1);
    column->addWidget(title);
    if (open) {
        *open = new QPushButton(TokenSourceBox::tr("Open…"), parent);
        row->addWidget(*open);
    }
    column->addLayout(row);
    return box;
}
} // namespace

TokenSourceBox::TokenSourceBox(QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("tokenSource"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    QLabel* title = nullptr;
    m_source = choice(this, column, title, tr("To&kens from"), "tokenOrigin", tr("What encoders are measured on"), &m_open);
    m_source->addItems({tr("rows of a file"), tr("calibration set"), tr("model on photos"), tr("model on text")});
    m_open->setObjectName(QStringLiteral("encoderTokensChoose"));
    m_measured = wrapped(this, "encoderTokens");
    column->addWidget(m_measured);
    m_place = choice(this, column, m_placeTitle, tr("&After block"), "tokenPlace", tr("Where in the model the autoencoder reads"), nullptr);
    m_placeNote = wrapped(this, "tokenPlaceNote");
    column->addWidget(m_placeNote);
    m_note = inkedLabel(this, QStringLiteral("tokenModelNote"), Ink::Warning);
    m_note->setWordWrap(true);
    column->addWidget(m_note);
    m_fit = choice(this, column, title, tr("Fitted t&o"), "tokenFit", tr("What methods are fitted to: never the rows that they are measured on"), &m_openFit);
    m_fit->addItems({tr("the other half"), tr("rows of a file")});
    m_openFit->setObjectName(QStringLiteral("encoderCalibrationChoose"));
    m_openFit->setAccessibleName(tr("Open rows to fit to"));
    m_openFit->setToolTip(tr("An .npy of other rows than those that encoders are measured on"));
    m_fitted = wrapped(this, "encoderCalibration");
    column->addWidget(m_fitted);
    connect(m_source, &QComboBox::activated, this, [this](int at) { emit sourceChosen(static_cast<TokenSource>(at)); });
    connect(m_open, &QPushButton::clicked, this, &TokenSourceBox::openRequested);
    connect(m_openFit, &QPushButton::clicked, this, &TokenSourceBox::ownRowsRequested);
    connect(m_place, &QComboBox::activated, this, [this](int at) {
        if (m_state.source == TokenSource::Calibration)
            emit siteChosen(m_state.sites.value(at));
        else
            emit blockChosen(at);
    });
    connect(m_fit, &QComboBox::activated, this, [this](int at) {
        if (at == 1)
            emit ownRowsRequested();
        else if (m_state.ownRows)
            emit halfRequested();
    });
    setState({});
}

void TokenSourceBox::setState(const TokenSourceState& state)
{
    m_state = state;
    const QSignalBlocker quietSource(m_source), quietFit(m_fit);
    m_source->setCurrentIndex(static_cast<int>(state.source));
    auto* items = qobject_cast<QStandardItemModel*>(m_source->model());
    for (int at = 0; at < m_source->count(); ++at) {
        const QString& reason = state.reasons[static_cast<std::size_t>(at)];
        const bool current = at == static_cast<int>(state.source);
        m_source->setItemData(at, reason.isEmpty() ? QVariant() : tr("Not now: %1").arg(reason), Qt::ToolTipRole);
        if (items)
            items->item(at)->setEnabled(reason.isEmpty() || current);
    }
    for (QWidget* control : {static_cast<QWidget*>(m_source), static_cast<QWidget*>(m_open), static_cast<QWidget*>(m_fit), static_cast<QWidget*>(m_openFit)})
        control->setEnabled(state.open);
    const std::array<QString, 4> kinds{tr("activations: an .npy of rows, as the model has them where the autoencoder reads"), tr("a calibration set of the model that is open"),
                                       tr("a folder of photos"), tr("a text, or token ids")};
    const QString kind = kinds[static_cast<std::size_t>(state.source)];
    m_open->setToolTip(tr("Open %1").arg(kind));
    m_open->setAccessibleName(m_open->toolTip());
    m_open->setEnabled(state.open && (state.source == TokenSource::Rows || state.reasons[static_cast<std::size_t>(state.source)].isEmpty()));
    m_measured->setText(state.open ? tr("Measured on %1").arg(state.measured) : tr("none are open"));
    m_fit->setCurrentIndex(state.ownRows ? 1 : 0);
    m_fitted->setText(!state.open ? tr("nothing") : state.fitted.isEmpty() ? tr("Nothing: there is one sample, and it is measured") : tr("Fitted to %1").arg(state.fitted));
    m_note->setText(state.note);
    m_note->setVisible(!state.note.isEmpty());
    showPlace();
}

void TokenSourceBox::showPlace()
{
    const QSignalBlocker quiet(m_place);
    const bool calibration = m_state.source == TokenSource::Calibration, rows = m_state.source == TokenSource::Rows || !m_state.open;
    for (QWidget* part : {static_cast<QWidget*>(m_place), static_cast<QWidget*>(m_placeTitle), static_cast<QWidget*>(m_placeNote)})
        part->setVisible(!rows);
    m_placeTitle->setText(calibration ? tr("&At the site") : tr("&After block"));
    m_place->setAccessibleName(calibration ? tr("Site of the calibration set") : tr("Block of the model"));
    m_place->clear();
    if (calibration) {
        m_place->addItems(m_state.sites);
        m_place->setCurrentIndex(static_cast<int>(m_state.sites.indexOf(m_state.site)));
        m_placeNote->setText(tr("What linear operators read: an autoencoder of the residual stream is fed rows of another kind."));
    } else {
        for (int block = 0; block < m_state.blocks; ++block)
            m_place->addItem(block == m_state.named ? tr("%1 (by its name)").arg(block) : QString::number(block));
        m_place->setCurrentIndex(m_state.block);
        m_placeNote->setText(m_state.named < 0                ? tr("The autoencoder does not say after which block it reads.")
                             : m_state.named != m_state.block ? tr("The autoencoder is named after block %1.").arg(m_state.named)
                                                              : QString());
        m_placeNote->setVisible(!rows && !m_placeNote->text().isEmpty());
    }
    m_place->setEnabled(m_state.open && m_state.reasons[static_cast<std::size_t>(m_state.source)].isEmpty());
}

} // namespace tamis::views
