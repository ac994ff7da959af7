// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_training_page.h"

#include "views/common/theme.h"
#include "views/common/training_view.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

namespace tamis::views {

TokenTrainingPage::TokenTrainingPage(QWidget* parent)
    : QWidget(parent), m_training(new TrainingView({.suffix = QStringLiteral("OfTokens"),
                                                    .chart = QStringLiteral("tokenTraining"),
                                                    .picture = QStringLiteral("token-training"),
                                                    .emptyChart = tr("Losses appear here while a method is trained."),
                                                    .notTrained = tr("What the method uses was not trained here."),
                                                    .trainHelp = tr("Trains the chosen method on the photos that are open"),
                                                    .finishHelp = tr("Ends training and keeps the best so far")},
                                                   this)),
      m_save(new QPushButton(tr("Save what was trained…"), this)), m_open(new QPushButton(tr("Open what was trained…"), this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    column->addWidget(m_training, 1);
    auto* row = new QHBoxLayout;
    row->addStretch(1);
    m_save->setObjectName(QStringLiteral("saveTrainedTokens"));
    m_open->setObjectName(QStringLiteral("openTrainedTokens"));
    row->addWidget(m_save);
    row->addWidget(m_open);
    column->addLayout(row);
    connect(m_training, &TrainingView::trainRequested, this, &TokenTrainingPage::trainRequested);
    connect(m_training, &TrainingView::finishRequested, this, &TokenTrainingPage::finishRequested);
    connect(m_training, &TrainingView::cancelRequested, this, &TokenTrainingPage::cancelRequested);
    connect(m_training, &TrainingView::exportRequested, this, &TokenTrainingPage::exportRequested);
    connect(m_save, &QPushButton::clicked, this, &TokenTrainingPage::saveRequested);
    connect(m_open, &QPushButton::clicked, this, &TokenTrainingPage::openRequested);
    setSaveReason({});
    setOpenReason({});
}

void TokenTrainingPage::setSaveReason(const QString& reason)
{
    m_save->setEnabled(reason.isEmpty());
    m_save->setToolTip(reason.isEmpty() ? tr("Weights and settings as a safetensors file") : tr("Not now: %1").arg(reason));
}

void TokenTrainingPage::setOpenReason(const QString& reason)
{
    m_open->setEnabled(reason.isEmpty());
    m_open->setToolTip(reason.isEmpty() ? tr("For the model that is open, from the safetensors file it was saved to") : tr("Not now: %1").arg(reason));
}

} // namespace tamis::views
